//! Files in the forms that shops write: separators, quotes, line ends, encodings.

use super::*;
use crate::source::{Catalog as Source, text::TextOptions};

/// Returns id and title of each item; all must be valid.
fn titles(name: &str, content: impl AsRef<[u8]>) -> Vec<(String, String)> {
    let items = items(catalog(name, content).read()).into_iter();
    items
        .map(|item| (item.id, item.title.unwrap_or_default()))
        .collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(id, title): &(&str, &str)| ((*id).to_owned(), (*title).to_owned());
    wanted.iter().map(own).collect()
}

#[test]
fn a_google_feed_keeps_its_quotes_and_rows() {
    let feed = "id\ttitle\tdescription\tprice\n\
        bolt\tHex bolt 5/8\" x 2\"\tZinc, 5/8\" thread\t1.20 USD\n\
        mug\t\"Best Dad\" mug\tA mug\t9.00 USD\n\
        monitor\t\"24 in. monitor\tNo closing mark\t120.00 USD\n\
        tv\t55\" TV\tSays \"wow\"\t499.00 USD\n\
        ruler\t\"12\"\" ruler, steel\"\tQuoted\t3.00 USD\n\
        last\tPlain pencil\tx\t1.00 USD\n";
    let wanted = pairs(&[
        ("bolt", "Hex bolt 5/8\" x 2\""),
        ("mug", "\"Best Dad\" mug"),
        ("monitor", "\"24 in. monitor"),
        ("tv", "55\" TV"),
        ("ruler", "12\" ruler, steel"),
        ("last", "Plain pencil"),
    ]);
    assert_eq!(titles("feed.tsv", feed), wanted);
    assert_eq!(titles("feed.tsv", feed.replace('\n', "\r\n")), wanted);
    assert_eq!(titles("feed.csv", feed), wanted);
    let semicolons = feed.replace(',', "").replace('\t', ";");
    let wanted: Vec<_> = wanted
        .into_iter()
        .map(|(id, title)| (id, title.replace(',', "")))
        .collect();
    assert_eq!(titles("feed.csv", semicolons), wanted);
}

#[test]
fn spreadsheets_of_europe_are_read() {
    let text = "id;title;brand\r\n1001;Crème brûlée Schälchen;Größe\r\n1002;Teller, 3 St.;\r\n";
    let wanted = pairs(&[
        ("1001", "Crème brûlée Schälchen"),
        ("1002", "Teller, 3 St."),
    ]);
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let utf_16: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.replace(';', "\t").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for content in [
        text.as_bytes().to_vec(),
        ["\u{feff}", text].concat().into_bytes(),
        ["sep=;\r\n", text].concat().into_bytes(),
        ["\u{feff}sep=;\r\n", text].concat().into_bytes(),
        windows.to_vec(),
        [&b"sep=;\r\n"[..], &windows[..]].concat(),
        utf_16,
        text.replace("\r\n", "\r").into_bytes(),
        text.replace("\r\n", "\n").into_bytes(),
        text.replace(';', "|").into_bytes(),
    ] {
        assert_eq!(titles("a.csv", content), wanted);
    }
    let comma = encoding_rs::WINDOWS_1252
        .encode("id,title\n1,Crème brûlée dish\n2,Cup\n")
        .0;
    assert_eq!(
        titles("a.csv", comma),
        pairs(&[("1", "Crème brûlée dish"), ("2", "Cup")])
    );
}

#[test]
fn lines_may_end_with_a_carriage_return() {
    let text = "id,title\r1,Red kettle\r\r2,Blue kettle\r3,\"Green kettle, large\"\r";
    let records = catalog("mac.csv", text).read();
    assert_eq!(
        outcomes(&records),
        [(2, "1", ""), (4, "2", ""), (5, "3", "")]
    );
    let broken = catalog("mac.csv", "id,title\r1,a,b\r2,c").read();
    assert_eq!((broken[0].line, broken[1].line), (2, 3));
    assert!(broken[0].item.is_err() && broken[1].item.is_ok());
}

#[test]
fn shopify_exports_may_have_semicolons() {
    let text = "Handle;Title;Body (HTML);Variant Price\nmug;Mug, blue;<p>a; b</p>;5\n";
    let text = text.replace("<p>a; b</p>", "\"<p>a; b</p>\"");
    let file = catalog("shop.csv", text);
    let records = file.read_as(Some(Format::Shopify), &Mapping::default());
    let item = &items(records.unwrap())[0];
    assert_eq!(item.title.as_deref(), Some("Mug, blue"));
    assert_eq!(item.description.as_deref(), Some("a; b"));
}

#[test]
fn feeds_in_xml_are_read_in_their_encoding() {
    let feed = |encoding: &str| {
        format!(
            "<?xml version=\"1.0\"{encoding}?><rss xmlns:g=\"http://base.google.com/ns/1.0\"><channel>\
             <item><g:id>1</g:id><title>Crème brûlée</title></item></channel></rss>"
        )
    };
    let wanted = pairs(&[("1", "Crème brûlée")]);
    for name in ["ISO-8859-1", "windows-1252", "iso-8859-15"] {
        let text = feed(&format!(" encoding='{name}'"));
        let bytes = encoding_rs::WINDOWS_1252.encode(&text).0;
        assert_eq!(titles("feed.xml", bytes), wanted, "{name}");
    }
    let undeclared = encoding_rs::WINDOWS_1252.encode(&feed("")).0.into_owned();
    assert_eq!(titles("feed.xml", undeclared), wanted);
    let utf_16: Vec<u8> = feed(" encoding=\"UTF-16\"")
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(titles("feed.xml", utf_16), wanted);
    let error = catalog("feed.xml", feed(" encoding='klingon'")).error(&Mapping::default());
    assert!(error.contains("expected an encoding such as"), "{error}");
}

#[test]
fn given_forms_override_detected_ones() {
    let read = |name: &str, content: &[u8], encoding, delimiter, quote| {
        let options = TextOptions::parse(encoding, delimiter, quote).unwrap();
        let file = catalog(name, content);
        let opened = Source::open_as(&file.path, None, &Mapping::default(), &options).unwrap();
        let records: Vec<_> = opened.records().unwrap().collect::<Result<_, _>>().unwrap();
        let form = opened.read_as().map(|form| form.to_string());
        (items(records)[0].title.clone().unwrap(), form.unwrap())
    };
    let (title, form) = read("a.csv", b"id|title|x,y\n1|y|z,w\n", None, Some("|"), None);
    assert!(title == "y" && form.contains("`|`"), "{title} {form}");
    let (title, _) = read(
        "a.csv",
        b"id;title\n1;caf\x8e\n",
        Some("macintosh"),
        None,
        None,
    );
    assert_eq!(title, "café");
    let (title, _) = read("a.csv", b"id,title\n1,\"a\"\n", None, None, Some("none"));
    assert_eq!(title, "\"a\"");
    let (title, _) = read("a.csv", b"id,title\n1,'a,b'\n", None, None, Some("'"));
    assert_eq!(title, "a,b");
    let lines = b"{\"id\": \"1\", \"title\": \"caf\xe9\"}\n";
    assert_eq!(read("a.jsonl", lines, Some("latin1"), None, None).0, "café");
}

#[test]
fn a_late_byte_of_another_encoding_costs_its_row_alone() {
    let mut csv = "id,title\n".to_owned();
    for n in 0..40_000 {
        csv.push_str(&format!("{n},Crème {n}\n"));
    }
    let mut bytes = csv.into_bytes();
    bytes.extend_from_slice(b"x,caf\xe9\ny,last\n");
    let records = catalog("a.csv", bytes).read();
    let refused: Vec<_> = records.iter().filter(|r| r.item.is_err()).collect();
    assert_eq!((records.len(), refused.len()), (40_002, 1));
    assert_eq!(
        (refused[0].line, refused[0].id.as_deref()),
        (40_002, Some("x"))
    );
    let reason = refused[0].item.as_ref().unwrap_err();
    assert!(
        reason.contains("`title`") && reason.contains("--encoding"),
        "{reason}"
    );
}

#[test]
fn codes_stay_as_they_are_written() {
    let text = "id;title;code\n00123;a;1e5\n1.0;b;04433\n-0;c;+49\n";
    let items = items(catalog("a.csv", text).read());
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["00123", "1.0", "-0"]);
    let codes: Vec<_> = items
        .iter()
        .map(|item| item.attributes["code"].clone())
        .collect();
    assert_eq!(codes, ["1e5", "04433", "+49"]);
}
