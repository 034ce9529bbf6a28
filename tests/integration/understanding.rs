//! Queries of two made-up shops and the parses written down for them before there was a parser.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use vitrine::nlu::understanding::{PriceRange, Understanding, Vocabulary};

/// Share of exact parses below which the parser is not good enough.
const MIN_CASES: f64 = 0.9;

#[derive(Deserialize)]
struct Case {
    language: String,
    query: String,
    text: String,
    #[serde(default)]
    must: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    must_not: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    price: Price,
}

#[derive(Default, Deserialize)]
struct Price {
    gte: Option<f64>,
    lte: Option<f64>,
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/understanding");
    fs::read_to_string(folder.join(name)).expect(name)
}

fn vocabularies() -> BTreeMap<String, Vocabulary> {
    let shops: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_json::from_str(&read("vocabulary.json")).expect("JSON");
    let of = |fields: &BTreeMap<String, Vec<String>>| {
        let values = fields
            .iter()
            .flat_map(|(f, vs)| vs.iter().map(move |v| (f.as_str(), v.as_str())));
        Vocabulary::new(values)
    };
    shops.iter().map(|(k, v)| (k.clone(), of(v))).collect()
}

fn sets(values: BTreeMap<&str, Vec<&str>>) -> BTreeMap<String, BTreeSet<String>> {
    let set = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
    values
        .into_iter()
        .map(|(field, all)| (field.to_owned(), set(all)))
        .collect()
}

#[test]
fn nine_in_ten_queries_are_understood_exactly() {
    let vocabularies = vocabularies();
    let cases: Vec<Case> = read("queries.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert_eq!(cases.len(), 200);
    let mut failures = Vec::new();
    for case in &cases {
        let found = Understanding::of(&case.query, &vocabularies[&case.language], &[]);
        let price = PriceRange {
            gte: case.price.gte,
            lte: case.price.lte,
        };
        let exact = found.text == case.text
            && sets(found.must()) == case.must
            && sets(found.must_not()) == case.must_not
            && found.price() == price;
        if !exact {
            failures.push(format!("{}\n    {found:?}", case.query));
        }
        for part in &found.parts {
            assert!(
                case.query.get(part.span.clone()).is_some(),
                "{part:?} is of the query"
            );
        }
    }
    let share = 1.0 - failures.len() as f64 / cases.len() as f64;
    println!("{share:.3} exact; not: {failures:#?}");
    assert!(share >= MIN_CASES, "{share:.3} exact; not: {failures:#?}");
}

#[test]
fn any_text_is_taken() {
    let vocabularies = vocabularies();
    for text in [
        "",
        " ",
        "$",
        "-",
        "不要",
        "under",
        "size",
        "free",
        "a-free",
        "或",
        "<= <=",
        "９９９９９９元以下",
        "\u{0}\u{feff}é\u{301}",
    ] {
        for vocabulary in vocabularies.values().chain([&Vocabulary::new([])]) {
            Understanding::of(text, vocabulary, &[]);
        }
    }
    // All pieces of real queries, cut anywhere.
    for line in read("queries.jsonl").lines() {
        let case: Case = serde_json::from_str(line).expect(line);
        for (at, _) in case.query.char_indices() {
            Understanding::of(&case.query[at..], &vocabularies[&case.language], &[]);
            Understanding::of(&case.query[..at], &vocabularies[&case.language], &[]);
        }
    }
}
