//! Dialogues in two made-up shops and the states written down for them before there was code to
//! read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use vitrine::{
    nlu::{dialogue, understanding::Vocabulary},
    schemas::{ActKind, DialogueState, Range, Scalar, ShownItem},
};

/// Share of exact turns below which the reading is not good enough.
const MIN_CASES: f64 = 0.9;

#[derive(Deserialize)]
struct Dialogue {
    language: String,
    shop: String,
    shown: Vec<(String, f64)>,
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    text: String,
    state: Expected,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expected {
    text: String,
    must: BTreeMap<String, BTreeSet<String>>,
    must_not: BTreeMap<String, BTreeSet<String>>,
    price: BTreeMap<String, f64>,
    like: Option<String>,
    excluded: BTreeSet<String>,
}

impl From<&DialogueState> for Expected {
    fn from(state: &DialogueState) -> Self {
        let mut seen = Self {
            text: state.text.clone(),
            like: state.like.as_ref().map(|l| l.id.clone()),
            excluded: state.excluded.iter().cloned().collect(),
            ..Self::default()
        };
        for filter in &state.filters {
            let values = filter.values.iter().cloned().collect();
            let twice = match (&filter.range, filter.negated) {
                (Some(range), _) => {
                    seen.price.extend(bounds(range));
                    None
                }
                (None, false) => seen.must.insert(filter.field.clone(), values),
                (None, true) => seen.must_not.insert(filter.field.clone(), values),
            };
            assert!(
                twice.is_none(),
                "one condition a field and sense: {state:?}"
            );
        }
        seen
    }
}

fn bounds(range: &Range) -> BTreeMap<String, f64> {
    let all = [
        ("gt", &range.gt),
        ("gte", &range.gte),
        ("lt", &range.lt),
        ("lte", &range.lte),
    ];
    let number = |s: &Option<Scalar>| match s {
        Some(Scalar::Float(x)) => Some(*x),
        _ => None,
    };
    all.into_iter()
        .filter_map(|(name, s)| Some((name.to_owned(), number(s)?)))
        .collect()
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    fs::read_to_string(folder.join(name)).expect(name)
}

fn shops() -> BTreeMap<String, Vocabulary> {
    let shops: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_json::from_str(&read("understanding/vocabulary.json")).expect("JSON");
    let of = |fields: &BTreeMap<String, Vec<String>>| {
        Vocabulary::new(
            fields
                .iter()
                .flat_map(|(f, vs)| vs.iter().map(move |v| (f.as_str(), v.as_str()))),
        )
    };
    shops
        .iter()
        .map(|(name, fields)| (name.clone(), of(fields)))
        .collect()
}

fn dialogues(name: &str) -> Vec<Dialogue> {
    read(&format!("dialogues/{name}.jsonl"))
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn shown(items: &[(String, f64)]) -> Vec<ShownItem> {
    let item = |(id, price): &(String, f64)| ShownItem {
        id: id.clone(),
        price: Some(*price),
    };
    items.iter().map(item).collect()
}

#[test]
fn nine_in_ten_turns_are_read_exactly() {
    check_both_languages("dialogues");
}

#[test]
fn so_are_turns_written_when_the_reader_was_there() {
    check_both_languages("later");
}

fn check_both_languages(name: &str) {
    let (turns, chinese) = check(name);
    assert!(turns >= 60 && chinese * 9 >= turns * 4);
}

#[test]
fn so_are_german_turns() {
    let (turns, _) = check("german");
    assert_eq!(turns, 26);
}

/// Returns the numbers of turns and of Chinese turns.
fn check(name: &str) -> (usize, usize) {
    let shops = shops();
    let (mut turns, mut chinese, mut failures) = (0, 0, Vec::new());
    for dialogue in dialogues(name) {
        let page = shown(&dialogue.shown);
        let (mut state, mut before) = (DialogueState::default(), Vec::new());
        for (n, turn) in dialogue.turns.iter().enumerate() {
            let seen = if n == 0 { &[][..] } else { &page };
            let said =
                dialogue::interpret_turn(&turn.text, &shops[&dialogue.shop], &state, seen, None);
            let after = match said.undo {
                true => before.pop().unwrap_or_default(),
                false => {
                    if said.after != state {
                        before.push(state);
                    }
                    said.after
                }
            };
            let found = Expected::from(&after);
            if found != turn.state {
                failures.push(format!(
                    "{}\n    found    {found:?}\n    expected {:?}",
                    turn.text, turn.state
                ));
            }
            turns += 1;
            chinese += usize::from(dialogue.language == "zh");
            state = after;
        }
    }
    let share = 1.0 - failures.len() as f64 / turns as f64;
    println!(
        "{share:.3} of {turns} turns exact; not: {}",
        failures.join("\n")
    );
    assert!(
        share >= MIN_CASES,
        "{share:.3} exact; not: {}",
        failures.join("\n")
    );
    (turns, chinese)
}

#[test]
fn each_piece_says_its_words_and_what_it_does() {
    let shops = shops();
    let page = shown(&[("a".into(), 80.0), ("b".into(), 40.0), ("c".into(), 60.0)]);
    let start = dialogue::interpret_turn(
        "red dresses under 100",
        &shops["en"],
        &DialogueState::default(),
        &[],
        None,
    )
    .after;
    let said = dialogue::interpret_turn(
        "like the second but cheaper, in blue, any price limit, waterproof",
        &shops["en"],
        &start,
        &page,
        None,
    );
    let acts: Vec<_> = said
        .acts
        .iter()
        .map(|a| (a.kind, a.words.as_str(), a.field.as_deref()))
        .collect();
    assert_eq!(
        acts,
        [
            (ActKind::Like, "like the second", None),
            (ActKind::Cheaper, "cheaper", Some("price")),
            (ActKind::Filter, "blue", Some("color")),
            (ActKind::Drop, "any price limit", Some("price")),
            (ActKind::Words, "waterproof", Some("text")),
        ]
    );
    assert_eq!(said.acts[0].item.as_deref(), Some("b"));
    assert_eq!(
        bounds(said.acts[1].range.as_ref().unwrap()),
        BTreeMap::from([("lt".into(), 40.0)])
    );
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let shops = shops();
    let page = shown(&[("a".into(), 80.0)]);
    let no_price = [ShownItem {
        id: "a".into(),
        price: None,
    }];
    let start = dialogue::interpret_turn(
        "red dresses",
        &shops["en"],
        &DialogueState::default(),
        &[],
        None,
    )
    .after;
    for (text, seen, detail) in [
        ("more like the third", &page[..], "1 items are shown"),
        ("不要第三个", &page[..], "1 items are shown"),
        ("more like this one", &page[..], "which one"),
        ("更像这个", &page[..], "which one"),
        ("cheaper", &no_price[..], "no price"),
        ("cheaper than the second", &page[..], "1 items are shown"),
    ] {
        let said = dialogue::interpret_turn(text, &shops["en"], &start, seen, None);
        assert!(
            said.unclear
                .first()
                .is_some_and(|u| u.detail.contains(detail)),
            "{text}: {said:?}"
        );
        assert_eq!(
            (said.unclear.len(), &said.after),
            (1, &start),
            "{text}: {said:?}"
        );
        assert!(said.acts.is_empty(), "{text}: {said:?}");
    }
}

#[test]
fn any_turn_is_taken() {
    let shops = shops();
    let page = shown(&[("a".into(), 80.0), ("b".into(), f64::MAX)]);
    let mut turns: Vec<String> = ["dialogues", "later", "german"]
        .into_iter()
        .flat_map(dialogues)
        .flat_map(|d| d.turns)
        .map(|t| t.text)
        .collect();
    let odd = [
        "",
        " ",
        "the",
        "第",
        "比",
        "like",
        "undo undo",
        "any",
        "不",
        "number 99999999999999999999",
        "第零个",
        "\u{0}é\u{301}，",
    ];
    turns.extend(odd.map(String::from));
    for (vocabulary, text) in shops
        .values()
        .chain([&Vocabulary::new([])])
        .flat_map(|v| turns.iter().map(move |t| (v, t)))
    {
        for (at, _) in text.char_indices() {
            let start = DialogueState::default();
            let said = dialogue::interpret_turn(&text[at..], vocabulary, &start, &page, None);
            dialogue::interpret_turn(&text[..at], vocabulary, &said.after, &page, None);
            dialogue::words(&said.after);
        }
    }
}
