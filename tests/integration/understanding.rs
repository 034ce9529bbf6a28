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

fn cases(name: &str) -> Vec<Case> {
    let lines = read(name);
    let cases = lines.lines();
    let cases = cases.map(|line| serde_json::from_str(line).expect(line));
    cases.collect()
}

#[test]
fn nine_in_ten_queries_are_understood_exactly() {
    let cases = cases("queries.jsonl");
    assert_eq!(cases.len(), 200);
    check(&cases);
}

#[test]
fn so_are_queries_in_german() {
    let cases = cases("german.jsonl");
    assert_eq!(cases.len(), 50);
    check(&cases);
}

#[test]
fn german_words_count_in_german_queries_only() {
    let vocabularies = vocabularies();
    let understood = |text: &str, shop: &str| {
        let understood = Understanding::of(text, &vocabularies[shop], &[]);
        let must = sets(understood.must());
        (must, understood.price(), understood.text)
    };
    for (text, left) in [
        ("rot proof gift", "rot proof gift"),
        ("die cast car", "die cast car"),
        ("bald man hat", "bald hat"),
        ("rock band also hell", "rock band also hell"),
    ] {
        let (must, _, rest) = understood(text, "en");
        assert_eq!(rest, left, "{text}");
        assert!(!must.contains_key("color"), "{text}: {must:?}");
    }
    // Values in other languages are found by German names.
    let (must, price, _) = understood("rotes Kleid unter 50 Euro", "en");
    assert_eq!(must["color"], BTreeSet::from(["red".to_owned()]));
    assert_eq!(
        must["category"],
        BTreeSet::from(["Clothing > Dresses".to_owned()])
    );
    assert_eq!(price.lte, Some(50.0));
    let (must, ..) = understood("rotes Kleid", "zh");
    assert_eq!(must["color"], BTreeSet::from(["红色".to_owned()]));
}

fn check(cases: &[Case]) {
    let vocabularies = vocabularies();
    let mut failures = Vec::new();
    for case in cases {
        let found = Understanding::of(&case.query, &vocabularies[&case.language], &[]);
        let price = PriceRange {
            gte: case.price.gte,
            lte: case.price.lte,
            ..PriceRange::default()
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
        "ß",
        "zwei",
        "ab 5.",
        "freiäöü",
    ] {
        for vocabulary in vocabularies.values().chain([&Vocabulary::new([])]) {
            Understanding::of(text, vocabulary, &[]);
        }
    }
    // All pieces of real queries, cut anywhere.
    for case in ["queries.jsonl", "german.jsonl"]
        .into_iter()
        .flat_map(cases)
    {
        for (at, _) in case.query.char_indices() {
            Understanding::of(&case.query[at..], &vocabularies[&case.language], &[]);
            Understanding::of(&case.query[..at], &vocabularies[&case.language], &[]);
        }
    }
}
