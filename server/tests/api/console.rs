//! Files of the console and their headers.

use std::{collections::BTreeSet, fs, path::Path};

use actix_web::test::TestRequest;
use vitrine_server::routes::console::FILES;

use crate::harness::{api, header};

#[actix_web::test]
async fn the_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody() {
    let api = api().await;
    assert_eq!(api.get("/console").await.header("location"), "/console/");
    let page = api.get("/console/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains("js/main.js"), "{page:?}");
    for (name, _) in FILES {
        let file = api.get(&format!("/console/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        let policy: BTreeSet<_> = file.header("content-security-policy").split("; ").collect();
        let expected = [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ];
        assert_eq!(policy, expected.into(), "{name}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("referrer-policy"), "no-referrer");
        let media_type = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(file.header("content-type"), media_type, "{name}");
    }
}

#[actix_web::test]
async fn a_file_that_is_known_is_not_sent_again() {
    let api = api().await;
    let first = api.get("/console/js/main.js").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.len() > 10, "{first:?}");
    let ask = |tags: &str| {
        TestRequest::with_uri("/console/js/main.js").insert_header(header("if-none-match", tags))
    };
    for tags in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}")] {
        let again = api.send(ask(&tags)).await;
        assert_eq!(again.status, 304, "{tags}");
        assert_eq!((again.text.as_str(), again.header("etag")), ("", &*tag));
    }
    assert_eq!(api.send(ask("\"other\"")).await.text, first.text);
    let other = api.get("/console/js/dom.js").await;
    assert_ne!(other.header("etag"), tag);
}

#[actix_web::test]
async fn nothing_but_its_files_is_served() {
    let api = api().await;
    for path in [
        "/console/none.js",
        "/console/js",
        "/console/js/",
        "/console/../Cargo.toml",
        "/console/%2e%2e/Cargo.toml",
        "/console/..%2fCargo.toml",
        "/console//etc/passwd",
        "/console/js/main.js%00.html",
    ] {
        let answer = api.get(path).await;
        answer.problem(404, "route_not_found");
    }
}

#[test]
fn the_files_are_those_of_the_folder() {
    fn collect(folder: &Path, under: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the folder") {
            let entry = entry.expect("an entry");
            let name = format!("{under}{}", entry.file_name().to_str().expect("a name"));
            if entry.path().is_dir() {
                collect(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    collect(&folder, "", &mut found);
    let listed = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed, "list them in server/src/routes/console.rs");
}

#[test]
fn text_never_becomes_markup_and_no_address_leads_elsewhere() {
    const FORBIDDEN: [&str; 8] = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "eval(",
        "new Function",
    ];
    for (name, text) in FILES {
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{name}: {word}");
        }
        let namespaces = text.matches("http://www.w3.org/").count();
        assert_eq!(text.matches("http://").count(), namespaces, "{name}");
        assert!(!text.contains("https://"), "{name}");
    }
    let (_, page) = FILES[0];
    assert!(!page.contains("style=") && !page.contains(" on"), "{page}");
}

#[test]
fn every_import_and_link_is_one_of_the_files() {
    let names: BTreeSet<_> = FILES.iter().map(|(name, _)| *name).collect();
    let mut looked_at = 0;
    for (name, text) in FILES {
        let folder = Path::new(name).parent().expect("a folder");
        let quoted: Vec<_> = match name.rsplit('.').next() {
            Some("js") => {
                let imports = text.lines().filter(|line| line.starts_with("import "));
                imports.filter_map(|line| line.split('"').nth(1)).collect()
            }
            Some("html") => text
                .split("href=\"")
                .skip(1)
                .chain(text.split("src=\"").skip(1))
                .collect(),
            _ => Vec::new(),
        };
        for rest in quoted {
            let target = rest.split('"').next().expect("a quote");
            if target.starts_with('#') {
                continue;
            }
            let mut path: Vec<_> = folder.iter().filter_map(|part| part.to_str()).collect();
            for part in target.split('/') {
                match part {
                    "." => {}
                    ".." => drop(path.pop()),
                    part => path.push(part),
                }
            }
            let path = path.join("/");
            assert!(names.contains(path.as_str()), "{name}: {target}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}
