//! Changes of what is searched for. One condition a field and sense; what is asked for is no longer refused, and the other way round.

use vitrine_schemas::{DialogueFilter, DialogueState, Range, ShownItem};

use super::price::narrowed;

/// Between the names of a category's path.
const PATH: &str = " > ";

/// Takes a part away: a field of the filters, `text`, `like` or `excluded`. False where there is none.
pub fn drop_part(state: &mut DialogueState, part: &str) -> bool {
    match part {
        "text" => !std::mem::take(&mut state.text).is_empty(),
        "like" => state.like.take().is_some(),
        "excluded" => !std::mem::take(&mut state.excluded).is_empty(),
        field => {
            let before = state.filters.len();
            state.filters.retain(|f| f.field != field);
            state.filters.len() < before
        }
    }
}

/// Items have one of the values; with `beside`, or one of those asked for before.
pub(super) fn want(
    state: &mut DialogueState,
    field: &str,
    values: &[String],
    words: &str,
    beside: bool,
) {
    without(state, field, values, true);
    put(state, field, values, words, false, beside);
}

/// Items have none of the values.
pub(super) fn refuse(state: &mut DialogueState, field: &str, values: &[String], words: &str) {
    without(state, field, values, false);
    put(state, field, values, words, true, true);
}

/// The values neither have to be nor must not be.
pub(super) fn free(state: &mut DialogueState, field: &str, values: &[String]) {
    without(state, field, values, true);
    without(state, field, values, false);
}

/// The price lies within.
pub(super) fn bound(state: &mut DialogueState, range: &Range, words: &str) {
    let is_price = |f: &&mut DialogueFilter| f.field == "price" && f.range.is_some();
    match state.filters.iter_mut().find(is_price) {
        Some(there) => {
            there.range = there.range.as_ref().map(|old| narrowed(old, range));
            words.clone_into(&mut there.words);
        }
        None => state.filters.push(DialogueFilter {
            field: "price".into(),
            values: Vec::new(),
            range: Some(range.clone()),
            negated: false,
            words: words.into(),
        }),
    }
}

/// Hits are like the item; the words were a way to it.
pub fn like(state: &mut DialogueState, item: ShownItem) {
    state.text.clear();
    state.excluded.retain(|id| *id != item.id);
    state.like = Some(item);
}

/// The item is not wanted.
pub fn exclude(state: &mut DialogueState, id: &str) {
    if state.like.as_ref().is_some_and(|l| l.id == id) {
        state.like = None;
    }
    if !state.excluded.iter().any(|e| e == id) {
        state.excluded.push(id.into());
    }
}

/// Words beside those there are, or in their place.
pub(super) fn say(state: &mut DialogueState, words: &str, instead: bool) {
    if instead || state.text.is_empty() {
        words.clone_into(&mut state.text);
    } else if !contains(&state.text, words) {
        state.text = format!("{} {words}", state.text);
    }
}

fn contains(text: &str, words: &str) -> bool {
    format!(" {text} ").contains(&format!(" {words} "))
}

fn put(
    state: &mut DialogueState,
    field: &str,
    values: &[String],
    words: &str,
    negated: bool,
    beside: bool,
) {
    let same =
        |f: &&mut DialogueFilter| f.field == field && f.negated == negated && f.range.is_none();
    let Some(there) = state.filters.iter_mut().find(same) else {
        state.filters.push(DialogueFilter {
            field: field.into(),
            values: values.to_vec(),
            range: None,
            negated,
            words: words.into(),
        });
        return;
    };
    if !beside {
        there.values.clear();
        there.words.clear();
    }
    for value in values {
        if !there.values.contains(value) {
            there.values.push(value.clone());
        }
    }
    there.words = [there.words.as_str(), words].join(" ").trim().to_owned();
}

/// Takes values out of the conditions on the field; one that is left with none goes.
fn without(state: &mut DialogueState, field: &str, values: &[String], negated: bool) {
    for there in &mut state.filters {
        if there.field != field || there.negated != negated || there.range.is_some() {
            continue;
        }
        let before = there.values.len();
        there.values.retain(|v| !values.contains(v));
        if there.values.len() < before {
            let names = there
                .values
                .iter()
                .map(|v| v.rsplit(PATH).next().unwrap_or(v));
            there.words = names.collect::<Vec<_>>().join(" ");
        }
    }
    state
        .filters
        .retain(|f| f.range.is_some() || !f.values.is_empty());
}
