//! Thumbnails of item images: sizes, entity tags, and confinement to the folder.

use std::{fs, os::unix::fs::symlink, path::Path};

use actix_web::{body::to_bytes, http::StatusCode, test::TestRequest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use vitrine_server::{
    auth::{Action, Key, Keys},
    config::Images,
};

use crate::harness::{Setup, header, with};

/// About 96 x 96 pixels.
const IMAGE: &[u8] = include_bytes!("../../../indexer/tests/golden/ball.png");

/// Creates a folder with an image, surrounded by files that must not be read.
fn folder() -> tempfile::TempDir {
    let outside = tempfile::tempdir().expect("a folder");
    let root = outside.path().join("images");
    fs::create_dir_all(root.join("deep")).unwrap();
    fs::write(root.join("deep/ball.png"), IMAGE).unwrap();
    fs::write(outside.path().join("secret.png"), IMAGE).unwrap();
    fs::write(root.join("page.jpg"), "<html><script>alert(1)</script>").unwrap();
    fs::write(
        root.join("drawing.svg"),
        "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    )
    .unwrap();
    fs::write(root.join("cut.png"), &IMAGE[..IMAGE.len() / 2]).unwrap();
    symlink("deep/ball.png", root.join("inside.png")).unwrap();
    symlink("../secret.png", root.join("outside.png")).unwrap();
    symlink(outside.path(), root.join("up")).unwrap();
    outside
}

fn setup(root: &Path) -> Setup {
    let images = Images {
        root: Some(root.join("images")),
        ..Images::default()
    };
    Setup {
        images,
        ..Setup::default()
    }
}

macro_rules! shop {
    ($setup:expr, $images:expr) => {{
        let api = with($setup).await;
        api.shop().await;
        let item = json!([{"id": "photographed", "images": $images}]);
        let written = api.put("/v1/collections/shop/items", item).await.ok();
        assert_eq!(written["summary"]["rejected"], 0, "{written}");
        api
    }};
}

fn path(n: usize) -> String {
    format!("/v1/collections/shop/items/photographed/images/{n}")
}

macro_rules! jpeg {
    ($api:expr, $path:expr) => {{
        let answer = $api.head(TestRequest::with_uri($path)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", $path);
        let headers = answer.headers().clone();
        let body = to_bytes(answer.into_body()).await.ok().expect("a body");
        assert_eq!(&body[..3], [0xFF, 0xD8, 0xFF], "a JPEG");
        (headers, body)
    }};
}

#[actix_web::test]
async fn an_image_is_a_jpeg_of_the_size_asked_for_and_known_by_its_tag() {
    let folder = folder();
    let bytes = STANDARD.encode(IMAGE);
    let images = json!([{"path": "deep/ball.png"}, {"path": "inside.png"}, {"bytes": bytes}]);
    let api = shop!(setup(folder.path()), images);
    let (headers, large) = jpeg!(api, &path(0));
    assert_eq!(headers.get("content-type").unwrap(), "image/jpeg");
    assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
    let policy = headers.get("content-security-policy").unwrap();
    assert_eq!(policy, "default-src 'none'; sandbox");
    let (small_headers, small) = jpeg!(api, &format!("{}?size=16", path(0)));
    assert!(small.len() < large.len());
    assert_ne!(small_headers.get("etag"), headers.get("etag"));
    assert_eq!(jpeg!(api, &path(1)).1, large, "by a link within the folder");
    assert_eq!(jpeg!(api, &path(2)).1, large, "from the record");

    let tag = headers.get("etag").unwrap().to_str().unwrap();
    let again = TestRequest::with_uri(&path(0)).insert_header(header("if-none-match", tag));
    let again = api.send(again).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    fs::write(
        folder.path().join("images/deep/ball.png"),
        [IMAGE, b"more"].concat(),
    )
    .unwrap();
    let (changed, _) = jpeg!(api, &path(0));
    assert_ne!(
        changed.get("etag"),
        headers.get("etag"),
        "a file that changed"
    );
}

#[actix_web::test]
async fn no_path_leads_out_of_the_folder_and_only_images_are_shown() {
    let folder = folder();
    let absolute = folder.path().join("secret.png");
    let within = folder.path().join("images/deep/ball.png");
    let images = json!([
        {"path": "../secret.png"},
        {"path": "deep/../../secret.png"},
        {"path": absolute},
        {"path": within},
        {"path": "outside.png"},
        {"path": "up/secret.png"},
        {"path": "/etc/passwd"},
        {"path": "none.png"},
        {"path": "deep"},
        {"path": ""},
        {"path": "page.jpg"},
        {"path": "drawing.svg"},
        {"path": "cut.png"},
        {"uri": "http://127.0.0.1/image.jpg"},
        {"bytes": "no base64"},
        {"bytes": ""},
    ]);
    let count = images.as_array().unwrap().len();
    let api = shop!(setup(folder.path()), images);
    for n in 0..=count {
        let problem = api.get(&path(n)).await.problem(404, "image_not_found");
        let text = problem.to_string();
        assert!(
            !text.contains("/etc") && !text.contains(folder.path().to_str().unwrap()),
            "{text}"
        );
    }
    let strange = api
        .get("/v1/collections/shop/items/photographed/images/-1")
        .await;
    strange.problem(400, "invalid_argument");
    for size in ["0", "15", "2049", "x", "-1"] {
        let answer = api.get(&format!("{}?size={size}", path(0))).await;
        answer.problem(400, "invalid_argument");
    }
    let none = api.get("/v1/collections/shop/items/none/images/0").await;
    none.problem(404, "item_not_found");
    let none = api.get("/v1/collections/none/items/a/images/0").await;
    none.problem(404, "collection_not_found");
}

#[actix_web::test]
async fn a_collection_has_its_own_folder_also_by_its_alias() {
    let folder = folder();
    let nowhere = shop!(Setup::default(), json!([{"path": "ball.png"}]));
    let problem = nowhere.get(&path(0)).await.problem(404, "image_not_found");
    assert!(
        problem["detail"].as_str().unwrap().contains("images.root"),
        "{problem}"
    );

    let images = Images {
        root: Some(folder.path().into()),
        roots: [("shop".into(), folder.path().join("images/deep"))].into(),
    };
    let setup = Setup {
        images,
        ..Setup::default()
    };
    let api = shop!(setup, json!([{"path": "ball.png"}, {"path": "secret.png"}]));
    let alias = json!({"actions": [{"action": "set", "alias": "live", "collection": "shop"}]});
    api.post("/v1/aliases", alias).await.ok();
    jpeg!(api, "/v1/collections/live/items/photographed/images/0");
    api.get(&path(1)).await.problem(404, "image_not_found");
}

#[actix_web::test]
async fn an_image_needs_a_key_that_covers_its_collection() {
    let (key, secret) =
        Key::create("other".into(), vec![Action::Read], vec!["other".into()]).unwrap();
    let setup = Setup {
        keys: Keys { keys: vec![key] },
        ..Setup::default()
    };
    let api = with(setup).await;
    api.get(&path(0)).await.problem(401, "unauthorized");
    let bearer = header("authorization", &format!("Bearer {secret}"));
    let other = TestRequest::with_uri(&path(0)).insert_header(bearer);
    api.send(other).await.problem(403, "forbidden");
    assert_eq!(
        api.get("/console/").await.status,
        200,
        "the page itself is open"
    );
}
