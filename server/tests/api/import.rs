//! Streaming import of items.

use serde_json::{Value, json};

use crate::harness::{NDJSON, Setup, api, lines, raw, read, with};

const IMPORT: &str = "/v1/collections/shop/items/import";

fn error(line: &Value) -> &str {
    assert_eq!(line["status"], "rejected", "{line}");
    line["error"].as_str().expect("a reason")
}

#[actix_web::test]
async fn good_lines_are_stored_and_bad_ones_cost_themselves_only() {
    let api = api().await;
    api.shop().await;
    let mut body = b"{\"id\": \"a\"}\r\n\n{\"id\": \"shoe\"}\n{\"id\": \"broken\"\n".to_vec();
    body.extend(b"{\"id\": \"x\", \"titel\": \"T\"}\n{\"id\": \"\xff\"}\n   \n");
    body.extend(b"{\"id\": \"y\", \"price\": {\"amount\": \"1\"}}\n");
    body.extend(b"{\"id\": \"z\", \"vectors\": {\"shared\": [1, 2]}}\n[]\n{\"id\": \"last\"}");
    let (lines, last) = lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    let numbers: Vec<_> = lines.iter().map(|l| l["index"].as_u64().unwrap()).collect();
    assert_eq!(
        numbers,
        [1, 3, 4, 5, 6, 8, 9, 10, 11],
        "blank lines have no result"
    );
    assert_eq!(
        lines[0],
        json!({"index": 1, "id": "a", "status": "created", "embedding": "pending"})
    );
    assert_eq!(lines[1]["status"], "updated");
    assert_eq!(lines[2]["code"], "malformed_json");
    assert!(error(&lines[3]).contains("titel") && error(&lines[3]).contains("`title`"));
    assert_eq!(lines[3]["id"], "x");
    assert!(error(&lines[4]).contains("UTF-8"));
    assert!(error(&lines[5]).contains("/price/amount"), "{}", lines[5]);
    assert!(error(&lines[6]).contains("/vectors/shared"));
    assert!(error(&lines[7]).contains("sequence"), "{}", lines[7]);
    assert_eq!(lines[8]["id"], "last", "the last line needs no end");
    assert_eq!(
        last["summary"],
        json!({"created": 2, "updated": 1, "rejected": 6, "embedding": {"pending": 3}})
    );
    assert_eq!(api.get("/v1/collections/shop").await.ok()["items"], 5);
}

#[actix_web::test]
async fn a_line_that_is_too_long_is_refused_and_the_rest_goes_on() {
    let mut setup = Setup::default();
    setup.limits.import_line_bytes = 100;
    let api = with(setup).await;
    api.shop().await;
    let long = json!({"id": "long", "title": "x".repeat(1000)});
    let body = format!("{{\"id\": \"a\"}}\n{long}\n{{\"id\": \"b\"}}\n{long}");
    let (lines, last) = lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    assert_eq!(lines[1]["index"], 2);
    assert_eq!(lines[1]["code"], "line_too_long");
    assert!(error(&lines[1]).contains("import_line_bytes"));
    assert_eq!(lines[2]["id"], "b");
    assert_eq!(
        last["summary"],
        json!({"created": 2, "updated": 0, "rejected": 2, "embedding": {"pending": 2}})
    );
}

#[actix_web::test]
async fn many_batches_keep_their_order() {
    let api = api().await;
    api.shop().await;
    let body: String = (0..1000)
        .map(|n| format!("{{\"id\": \"n{n}\"}}\n"))
        .collect();
    let (lines, last) = lines(api.send(raw("POST", IMPORT, NDJSON, body)).await);
    assert!((0..1000).all(|n| lines[n]["id"] == format!("n{n}")));
    assert_eq!(last["summary"]["created"], 1000);
    let count = api
        .post("/v1/collections/shop/items/count", json!({}))
        .await;
    assert_eq!(count.ok()["count"], 1003);
}

#[actix_web::test]
async fn csv_is_read_by_the_types_of_the_collection() {
    let api = api().await;
    api.shop().await;
    let body = "\u{feff}\"id\",title,price,hidden,images,color,sizes,attributes.stock,eco,vectors.shared\r\n\
        a,\"Say \"\"hi\"\",\r\nfriend\",12.50 EUR,true,https://x/a.jpg,\
        \"[\"\"red\"\",\"\"blue\"\"]\",\"[1.5, 2]\",7,1,\"[0, 0, 1]\"\r\n\
        \r\n\
        b,5\" pipe,3,,,,,,,\r\n\
        c,T,cheap,,,,,,,\r\n\
        d,T,1,,,,,many,,\r\n\
        e,T\r\n\
        f,,,,,,,,,\r\n";
    let (lines, last) = lines(
        api.send(raw("POST", IMPORT, "text/csv; charset=utf-8", body))
            .await,
    );
    assert_eq!(
        last["summary"],
        json!({"created": 3, "updated": 0, "rejected": 3, "embedding": {"pending": 2}}),
        "{lines:?}"
    );
    let numbers: Vec<_> = lines.iter().map(|l| l["index"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [2, 5, 6, 7, 8, 9], "the line a row starts on");
    assert!(error(&lines[2]).contains("/price") && error(&lines[2]).contains("cheap"));
    assert_eq!(lines[2]["id"], "c");
    assert!(error(&lines[3]).contains("64-bit integer"));
    assert!(error(&lines[4]).contains("got 2"));
    let a = api.get("/v1/collections/shop/items/a").await.ok();
    assert_eq!(a["title"], "Say \"hi\",\r\nfriend");
    assert_eq!(a["price"], json!({"amount": 12.5, "currency": "EUR"}));
    assert_eq!(a["hidden"], true);
    assert_eq!(a["images"], json!([{"uri": "https://x/a.jpg"}]));
    let attributes =
        json!({"color": ["red", "blue"], "sizes": [1.5, 2.0], "stock": 7, "eco": true});
    assert_eq!(a["attributes"], attributes);
    assert_eq!(a["vectors"]["shared"], json!([0.0, 0.0, 1.0]));
    let b = api.get("/v1/collections/shop/items/b").await.ok();
    assert_eq!(b["title"], "5\" pipe");
}

#[actix_web::test]
async fn a_quote_left_open_does_not_eat_the_rest() {
    let mut setup = Setup::default();
    setup.limits.import_line_bytes = 100;
    let api = with(setup).await;
    api.shop().await;
    let filler = "x,y\n".repeat(30);
    let body = format!("id,title\na,\"open\n{filler}b,B\n");
    let (lines, last) = lines(api.send(raw("POST", IMPORT, "text/csv", body)).await);
    assert_eq!(lines.len(), 32);
    assert_eq!(last["summary"]["rejected"], 0, "{lines:?}");
    assert_eq!(lines[31]["id"], "b");
    let a = api.get("/v1/collections/shop/items/a").await.ok();
    assert_eq!(a["title"], "\"open");
}

#[actix_web::test]
async fn a_header_is_refused_before_anything_is_written() {
    let api = api().await;
    api.shop().await;
    let body = "title,colr,title\nT,red,T\n";
    let answer = api.send(raw("POST", IMPORT, "text/csv", body)).await;
    let problem = answer.problem(400, "invalid_argument");
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["pointer"])
        .collect();
    assert_eq!(pointers, ["/colr", "/title", "/id"]);
    let answer = api.send(raw("POST", IMPORT, "text/csv", "")).await;
    answer.problem(400, "invalid_argument");
}

#[actix_web::test]
async fn an_invalid_import_is_rejected_as_a_whole() {
    let api = api().await;
    let answer = api.send(raw("POST", IMPORT, NDJSON, "{}")).await;
    answer.problem(404, "collection_not_found");
    api.shop().await;
    let answer = api
        .send(raw("POST", IMPORT, "application/json", "[]"))
        .await;
    let problem = answer.problem(415, "unsupported_media_type");
    assert!(problem["detail"].as_str().unwrap().contains(NDJSON));
    let (none, last) = lines(api.send(raw("POST", IMPORT, NDJSON, "")).await);
    assert!(none.is_empty());
    assert_eq!(
        last["summary"],
        json!({"created": 0, "updated": 0, "rejected": 0})
    );
}

#[actix_web::test]
async fn an_import_that_is_given_up_says_why() {
    let api = api().await;
    api.shop().await;
    let started = api
        .head(raw("POST", IMPORT, NDJSON, "{\"id\": \"a\"}\n"))
        .await;
    api.delete("/v1/collections/shop").await.ok();
    let answer = read(started).await;
    let id = answer.header("x-request-id").to_owned();
    let (none, last) = lines(answer);
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(last["error"]["code"], "collection_not_found");
    assert_eq!(last["error"]["request_id"], id);
}

#[actix_web::test]
async fn several_values_of_a_cell_are_separated_as_in_catalogs() {
    let api = api().await;
    api.shop().await;
    let body = "id,title,color,sizes\nx,A | B,red|blue,38|39.5\ny,C,\"[\"\"red\"\"]\",40\n";
    let answer = api.send(raw("POST", IMPORT, "text/csv", body)).await;
    let (_, last) = lines(answer);
    assert_eq!(last["summary"]["created"], 2, "{last}");
    let item = api.get("/v1/collections/shop/items/x").await.ok();
    assert_eq!(item["title"], "A | B");
    assert_eq!(item["attributes"]["color"], json!(["red", "blue"]));
    assert_eq!(item["attributes"]["sizes"], json!([38.0, 39.5]));
    let item = api.get("/v1/collections/shop/items/y").await.ok();
    assert_eq!(item["attributes"]["color"], "red");
}
