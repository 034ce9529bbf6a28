//! Validation of rules, synonyms and stop words.

use vitrine_schemas::{
    CategoryPath, FilterSpec, QueryCondition, Rule, RuleThen, Selection, StopWords, Synonym,
};

use crate::{
    Error, Result,
    clock::rfc3339_micros,
    collection::{State, check_name},
    lexical::{MAX_PHRASE_WORDS, tokens},
};

/// Reserved id, the name of a route.
const RESERVED: &str = "test";

/// Maximum bytes of a text that a query is compared with, and of a description.
const MAX_TEXT_BYTES: usize = 1_000;

/// Maximum number of texts, ids or categories in a list.
const MAX_LIST_LEN: usize = 1_000;

/// Maximum number of pins and boosts of a rule.
const MAX_PINS: usize = 100;
const MAX_BOOSTS: usize = 20;

/// Last position that can be pinned.
const MAX_PIN_POSITION: usize = 1_000;

/// Maximum number of words of one synonym, on each side. The number of synonyms is limited by
/// [`Setting::MAX_COUNT`](super::Setting::MAX_COUNT).
const MAX_WORDS_PER_SIDE: usize = 50;

/// Maximum boost factor.
const MAX_FACTOR: f32 = 1_000.0;

pub(in crate::collection) fn rule(rule: &Rule, state: &State) -> Result<()> {
    check_name("/id", &rule.id)?;
    if rule.id == RESERVED {
        return Err(Error::invalid(
            "/id",
            "`test` is reserved; choose another id",
        ));
    }
    if rule
        .description
        .as_ref()
        .is_some_and(|d| d.len() > MAX_TEXT_BYTES)
    {
        let detail = format!("is longer than {MAX_TEXT_BYTES} bytes");
        return Err(Error::invalid("/description", detail));
    }
    let time = |at: &str, time: &Option<String>| {
        let time = time.as_deref().map(|time| rfc3339_micros(at, time));
        time.transpose()
    };
    let from = time("/valid_from", &rule.valid_from)?;
    let until = time("/valid_until", &rule.valid_until)?;
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        let detail = "must be after valid_from, or the rule never applies";
        return Err(Error::invalid("/valid_until", detail));
    }
    match &rule.when.query {
        Some(QueryCondition::Is(list)) => texts("/when/query/is", list)?,
        Some(QueryCondition::Contains(list)) => texts("/when/query/contains", list)?,
        None => {}
    }
    listed("/when/categories", rule.when.categories.len(), 0)?;
    for (at, path) in rule.when.categories.iter().enumerate() {
        if CategoryPath::levels(path).next().is_none() {
            let detail = "is not a category path; expected e.g. `Clothing > Shoes`";
            return Err(Error::invalid(format!("/when/categories/{at}"), detail));
        }
    }
    then(&rule.then, state).map_err(|e| e.under("/then"))
}

fn then(then: &RuleThen, state: &State) -> Result<()> {
    if *then == RuleThen::default() {
        let detail = "has no effect: expected pin, boost, bury, hide or filter";
        return Err(Error::invalid("", detail));
    }
    at_most("/pin", then.pin.len(), MAX_PINS)?;
    for (at, pin) in then.pin.iter().enumerate() {
        if !(1..=MAX_PIN_POSITION).contains(&pin.position) {
            let detail = format!("expected 1 to {MAX_PIN_POSITION}, got {}", pin.position);
            return Err(Error::invalid(format!("/pin/{at}/position"), detail));
        }
        let before = &then.pin[..at];
        if before.iter().any(|p| p.position == pin.position) {
            let detail = format!(
                "position {} is used by another pin of the rule",
                pin.position
            );
            return Err(Error::invalid(format!("/pin/{at}/position"), detail));
        }
        if before.iter().any(|p| p.id == pin.id) {
            let detail = format!("`{}` is already pinned; an item has one position", pin.id);
            return Err(Error::invalid(format!("/pin/{at}/id"), detail));
        }
    }
    at_most("/boost", then.boost.len(), MAX_BOOSTS)?;
    for (at, boost) in then.boost.iter().enumerate() {
        let factor = boost.factor;
        if !(factor > 0.0 && factor <= MAX_FACTOR) {
            let detail = format!(
                "expected more than 0 and at most {MAX_FACTOR}, got {factor}; to exclude items, use hide"
            );
            return Err(Error::invalid(format!("/boost/{at}/factor"), detail));
        }
        selection(&format!("/boost/{at}/items"), &boost.items, state)?;
    }
    for (at, items) in [("/bury", &then.bury), ("/hide", &then.hide)] {
        items
            .iter()
            .try_for_each(|items| selection(at, items, state))?;
    }
    match &then.filter {
        Some(spec) => filter("/filter", spec, state),
        None => Ok(()),
    }
}

pub(in crate::collection) fn synonym(synonym: &Synonym) -> Result<()> {
    check_name("/id", &synonym.id)?;
    for (at, list) in [("/words", &synonym.words), ("/to", &synonym.to)] {
        if list.len() > MAX_WORDS_PER_SIDE {
            let detail = format!(
                "has {} entries; the limit is {MAX_WORDS_PER_SIDE}",
                list.len()
            );
            return Err(Error::invalid(at, detail));
        }
        words(at, list)?;
    }
    match (synonym.words.len(), synonym.to.is_empty()) {
        (0, _) => Err(Error::invalid(
            "/words",
            "is empty; expected at least one entry",
        )),
        (1, true) => {
            let detail = "has a single word: add words of the same meaning, or `to`";
            Err(Error::invalid("/words", detail))
        }
        _ => Ok(()),
    }
}

pub(in crate::collection) fn stop_words(stop: &StopWords) -> Result<()> {
    at_most("/words", stop.words.len(), MAX_LIST_LEN)?;
    words("/words", &stop.words)
}

fn texts(at: &str, list: &[String]) -> Result<()> {
    listed(at, list.len(), 1)?;
    words(at, list)
}

fn words(at: &str, list: &[String]) -> Result<()> {
    for (i, text) in list.iter().enumerate() {
        let words = tokens(text).len();
        let detail = match () {
            () if text.len() > MAX_TEXT_BYTES => format!("is longer than {MAX_TEXT_BYTES} bytes"),
            () if words == 0 => "has no word".to_owned(),
            () if words > MAX_PHRASE_WORDS => {
                format!("has {words} words; the limit is {MAX_PHRASE_WORDS}")
            }
            () => continue,
        };
        return Err(Error::invalid(format!("{at}/{i}"), detail));
    }
    Ok(())
}

fn selection(at: &str, items: &Selection, state: &State) -> Result<()> {
    match items {
        Selection::Ids(ids) => listed(at, ids.len(), 1),
        Selection::Matching(spec) => filter(at, spec, state),
    }
}

fn filter(at: &str, spec: &FilterSpec, state: &State) -> Result<()> {
    let nothing = Default::default();
    let evaluated = state.payload.evaluate(spec, &nothing, &|_| None);
    evaluated.map(|_| ()).map_err(|e| e.under(at))
}

fn listed(at: &str, len: usize, min: usize) -> Result<()> {
    if len < min {
        return Err(Error::invalid(at, "is empty; expected at least one entry"));
    }
    at_most(at, len, MAX_LIST_LEN)
}

fn at_most(at: &str, len: usize, max: usize) -> Result<()> {
    if len <= max {
        return Ok(());
    }
    Err(Error::invalid(
        at,
        format!("has {len} entries; the limit is {max}"),
    ))
}
