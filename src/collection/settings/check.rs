//! What settings may be.

use vitrine_schemas::{FilterSpec, QueryCondition, Rule, RuleThen, Selection, StopWords, Synonym};

use super::{State, check_name};
use crate::{
    Error, Result,
    collection::rfc3339_micros,
    lexical::{MOST_WORDS, tokens},
    payload::levels,
};

/// The id that is the name of a route.
const RESERVED: &str = "test";

/// Longest text that a query is compared with, and longest description, in bytes.
const MOST_BYTES: usize = 1_000;

/// Texts, ids and categories in a list.
const MOST_LISTED: usize = 1_000;

/// Pins and boosts of a rule.
const MOST_PINS: usize = 100;
const MOST_BOOSTS: usize = 20;

/// Last place that can be pinned.
const LAST: usize = 1_000;

/// Words of a synonym, on each side.
const MOST_SYNONYMS: usize = 50;

/// Greatest factor.
const MOST_FACTOR: f32 = 1_000.0;

pub(super) fn rule(rule: &Rule, state: &State) -> Result<()> {
    check_name("/id", &rule.id)?;
    if rule.id == RESERVED {
        return Err(Error::invalid("/id", "`test` is a route; use another id"));
    }
    if rule
        .description
        .as_ref()
        .is_some_and(|d| d.len() > MOST_BYTES)
    {
        let detail = format!("has more than {MOST_BYTES} bytes");
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
        let detail = "must be after valid_from, or the rule never acts";
        return Err(Error::invalid("/valid_until", detail));
    }
    match &rule.when.query {
        Some(QueryCondition::Is(list)) => texts("/when/query/is", list)?,
        Some(QueryCondition::Contains(list)) => texts("/when/query/contains", list)?,
        None => {}
    }
    listed("/when/categories", rule.when.categories.len(), 0)?;
    for (at, path) in rule.when.categories.iter().enumerate() {
        if levels(path).is_empty() {
            let detail = "is no category: write a path like `Clothing > Shoes`";
            return Err(Error::invalid(format!("/when/categories/{at}"), detail));
        }
    }
    then(&rule.then, state).map_err(|e| e.under("/then"))
}

fn then(then: &RuleThen, state: &State) -> Result<()> {
    if *then == RuleThen::default() {
        let detail = "does nothing: give pin, boost, bury, hide or filter";
        return Err(Error::invalid("", detail));
    }
    at_most("/pin", then.pin.len(), MOST_PINS)?;
    for (at, pin) in then.pin.iter().enumerate() {
        if !(1..=LAST).contains(&pin.position) {
            let detail = format!("is {}: must be 1 to {LAST}", pin.position);
            return Err(Error::invalid(format!("/pin/{at}/position"), detail));
        }
        let before = &then.pin[..at];
        if before.iter().any(|p| p.position == pin.position) {
            let detail = format!("place {} is taken by another pin of the rule", pin.position);
            return Err(Error::invalid(format!("/pin/{at}/position"), detail));
        }
        if before.iter().any(|p| p.id == pin.id) {
            let detail = format!("`{}` is pinned already: an item has one place", pin.id);
            return Err(Error::invalid(format!("/pin/{at}/id"), detail));
        }
    }
    at_most("/boost", then.boost.len(), MOST_BOOSTS)?;
    for (at, boost) in then.boost.iter().enumerate() {
        let factor = boost.factor;
        if !(factor > 0.0 && factor <= MOST_FACTOR) {
            let detail = format!(
                "is {factor}: must be above 0 and at most {MOST_FACTOR}; to keep items out, use hide"
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

pub(super) fn synonym(synonym: &Synonym) -> Result<()> {
    check_name("/id", &synonym.id)?;
    for (at, list) in [("/words", &synonym.words), ("/to", &synonym.to)] {
        if list.len() > MOST_SYNONYMS {
            let detail = format!("has {} entries, at most {MOST_SYNONYMS}", list.len());
            return Err(Error::invalid(at, detail));
        }
        words(at, list)?;
    }
    match (synonym.words.len(), synonym.to.is_empty()) {
        (0, _) => Err(Error::invalid("/words", "is empty: name one at least")),
        (1, true) => {
            let detail = "has one word alone: name others that mean the same, or give `to`";
            Err(Error::invalid("/words", detail))
        }
        _ => Ok(()),
    }
}

pub(super) fn stop_words(stop: &StopWords) -> Result<()> {
    at_most("/words", stop.words.len(), MOST_LISTED)?;
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
            () if text.len() > MOST_BYTES => format!("has more than {MOST_BYTES} bytes"),
            () if words == 0 => "has no word".to_owned(),
            () if words > MOST_WORDS => format!("has {words} words, at most {MOST_WORDS}"),
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

fn listed(at: &str, len: usize, least: usize) -> Result<()> {
    if len < least {
        return Err(Error::invalid(at, "is empty: name one at least"));
    }
    at_most(at, len, MOST_LISTED)
}

fn at_most(at: &str, len: usize, most: usize) -> Result<()> {
    if len <= most {
        return Ok(());
    }
    Err(Error::invalid(
        at,
        format!("has {len} entries, at most {most}"),
    ))
}
