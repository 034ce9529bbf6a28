//! The book: every page is served, and every link leads somewhere.

use std::{collections::BTreeSet, fs, path::Path};

use actix_web::test::TestRequest;
use vitrine_server::book::SOURCES;

use crate::harness::{Answer, api, header};

/// Returns the text between `before` and the next quote, wherever it occurs.
fn quoted<'a>(html: &'a str, before: &str) -> Vec<&'a str> {
    let rests = html.split(before).skip(1);
    rests.filter_map(|rest| rest.split('"').next()).collect()
}

fn links(html: &str) -> Vec<&str> {
    quoted(html, "href=\"")
}

/// Returns the HTML of a page that must be there.
fn page(answer: Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text
}

#[test]
fn the_pages_are_those_of_the_folder_and_of_the_summary() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let entries = fs::read_dir(&docs).expect("docs/");
    let names = entries.filter_map(|entry| entry.expect("an entry").file_name().into_string().ok());
    let names = names.filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()));
    let folder: BTreeSet<_> = names.filter(|name| name != "SUMMARY").collect();
    let listed: Vec<_> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let sorted: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(folder, sorted, "list them in server/src/book/mod.rs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).expect("SUMMARY.md");
    let linked = summary.split("](").skip(1);
    let linked: Vec<_> = linked.filter_map(|rest| rest.split_once(".md)")).collect();
    let linked: Vec<_> = linked
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(linked, listed, "in the order of SUMMARY.md");
}

#[actix_web::test]
async fn every_page_is_served_with_its_title_contents_and_neighbors() {
    let api = api().await;
    assert_eq!(api.get("/docs").await.header("location"), "/docs/");
    assert_eq!(
        page(api.get("/docs/").await),
        page(api.get("/docs/introduction.html").await)
    );
    for (at, (name, source)) in SOURCES.iter().enumerate() {
        let html = page(api.get(&format!("/docs/{name}.html")).await);
        let title = source
            .lines()
            .next()
            .expect("a line")
            .trim_start_matches("# ");
        assert!(html.contains(&format!(">{title}</h1>")), "{name}: {title}");
        assert_eq!(html.matches("aria-current=\"page\"").count(), 1, "{name}");
        for (other, _) in SOURCES {
            assert!(
                links(&html).contains(&format!("{other}.html").as_str()),
                "{name}: {other}"
            );
        }
        let neighbor = |at: Option<usize>| Some(format!("{}.html", SOURCES.get(at?)?.0));
        for (rel, expected) in [("prev", at.checked_sub(1)), ("next", Some(at + 1))] {
            let found = quoted(&html, &format!("rel=\"{rel}\" href=\""));
            let found = found.first().map(|address| (*address).to_owned());
            assert_eq!(found, neighbor(expected), "{name}: {rel}");
        }
    }
}

#[actix_web::test]
async fn every_link_leads_to_a_page_and_a_heading() {
    let api = api().await;
    let mut followed = 0;
    for (name, _) in SOURCES {
        let own = format!("{name}.html");
        let html = page(api.get(&format!("/docs/{own}")).await);
        for link in links(&html) {
            if link.contains("://") {
                continue;
            }
            let (address, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = match address {
                "" => format!("/docs/{own}"),
                "./" => "/docs/".to_owned(),
                above if above.starts_with("../") => above[2..].to_owned(),
                address => format!("/docs/{address}"),
            };
            let target = api.get(&path).await;
            assert_eq!(target.status, 200, "{name}: {link}");
            let id = format!("id=\"{anchor}\"");
            assert!(
                anchor.is_empty() || target.text.contains(&id),
                "{name}: {link}"
            );
            followed += 1;
        }
    }
    assert!(followed > 500, "{followed}");
}

#[actix_web::test]
async fn pages_run_nothing_and_load_only_their_style_and_icon() {
    let api = api().await;
    for (name, _) in SOURCES {
        let answer = api.get(&format!("/docs/{name}.html")).await;
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(
            !policy.contains("script-src") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let loaded = quoted(&answer.text, "<link rel=\"");
        assert_eq!(loaded, ["icon", "stylesheet"], "{name}");
        for forbidden in ["<script", "<img", "<iframe", " style=\"", " onclick"] {
            assert!(!answer.text.contains(forbidden), "{name}: {forbidden}");
        }
    }
    let style = api.get("/docs/book.css").await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(!style.text.contains("http") && !style.text.contains("url("));
}

#[actix_web::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let api = api().await;
    let first = api.get("/docs/search.html").await;
    let tag = first.header("etag").to_owned();
    let request = TestRequest::with_uri("/docs/search.html");
    let again = api
        .send(request.insert_header(header("if-none-match", &tag)))
        .await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
}

#[actix_web::test]
async fn nothing_but_pages_is_served() {
    let api = api().await;
    for path in [
        "/docs/none.html",
        "/docs/search.md",
        "/docs/SUMMARY.html",
        "/docs/search",
        "/docs/../Cargo.toml",
        "/docs/%2e%2e/Cargo.toml",
        "/docs/examples/products.csv",
        "/docs/search.html/",
    ] {
        let answer = api.get(path).await;
        answer.problem(404, "route_not_found");
    }
}
