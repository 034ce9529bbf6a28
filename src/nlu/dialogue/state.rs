//! Changes of the search state. There is one condition per field and polarity; a required value is
//! not excluded anymore, and an excluded one is not required anymore.

use vitrine_schemas::{CategoryPath, DialogueFilter, DialogueState, Range, ShownItem};

use super::price::narrowed;

/// Removes a part: the conditions on a field, `text`, `like`, `sort` or `excluded`. Returns false
/// if the state does not have it.
pub fn drop_part(state: &mut DialogueState, part: &str) -> bool {
    match part {
        "text" => !std::mem::take(&mut state.text).is_empty(),
        "like" => state.like.take().is_some(),
        "excluded" => !std::mem::take(&mut state.excluded).is_empty(),
        "sort" => state.sort.take().is_some(),
        field => {
            let before = state.filters.len();
            state.filters.retain(|f| f.field != field);
            state.filters.len() < before
        }
    }
}

/// Requires one of the values; with `add`, or one of those required before.
pub(super) fn require(
    state: &mut DialogueState,
    field: &str,
    values: &[String],
    words: &str,
    add: bool,
) {
    without(state, field, values, true);
    put(state, field, values, words, false, add);
}

/// Excludes items with one of the values.
pub(super) fn exclude(state: &mut DialogueState, field: &str, values: &[String], words: &str) {
    without(state, field, values, false);
    put(state, field, values, words, true, true);
}

/// Drops the values from all conditions, required or excluded.
pub(super) fn clear(state: &mut DialogueState, field: &str, values: &[String]) {
    without(state, field, values, true);
    without(state, field, values, false);
}

/// Bounds the price or another number.
pub(super) fn bound(state: &mut DialogueState, field: &str, range: &Range, words: &str) {
    let is_same = |f: &&mut DialogueFilter| f.field == field && f.range.is_some();
    match state.filters.iter_mut().find(is_same) {
        Some(there) => {
            there.range = there.range.as_ref().map(|old| narrowed(old, range));
            words.clone_into(&mut there.words);
        }
        None => state.filters.push(DialogueFilter {
            field: field.into(),
            values: Vec::new(),
            range: Some(range.clone()),
            is: None,
            negated: false,
            words: words.into(),
        }),
    }
}

/// Requires a value of a field of true and false.
pub(super) fn require_flag(state: &mut DialogueState, field: &str, value: bool, words: &str) {
    state.filters.retain(|f| f.field != field);
    state.filters.push(DialogueFilter {
        field: field.into(),
        values: Vec::new(),
        range: None,
        is: Some(value),
        negated: false,
        words: words.into(),
    });
}

/// Sets the reference item, which replaces the text.
pub fn like(state: &mut DialogueState, item: ShownItem) {
    state.text.clear();
    state.excluded.retain(|id| *id != item.id);
    state.like = Some(item);
}

/// Returns the required values by field.
pub(super) fn required(state: &DialogueState) -> Vec<(String, Vec<String>)> {
    let filters = state.filters.iter();
    let required = filters.filter(|f| !f.negated && !f.values.is_empty());
    required
        .map(|f| (f.field.clone(), f.values.clone()))
        .collect()
}

/// Excludes an item.
pub fn exclude_item(state: &mut DialogueState, id: &str) {
    if state.like.as_ref().is_some_and(|l| l.id == id) {
        state.like = None;
    }
    if !state.excluded.iter().any(|e| e == id) {
        state.excluded.push(id.into());
    }
}

/// Adds words to the text, or replaces it with `instead`.
pub(super) fn set_text(state: &mut DialogueState, words: &str, instead: bool) {
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
    add: bool,
) {
    let same = |f: &&mut DialogueFilter| {
        f.field == field && f.negated == negated && f.range.is_none() && f.is.is_none()
    };
    let Some(there) = state.filters.iter_mut().find(same) else {
        state.filters.push(DialogueFilter {
            field: field.into(),
            values: values.to_vec(),
            range: None,
            is: None,
            negated,
            words: words.into(),
        });
        return;
    };
    if !add {
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

/// Removes values from the conditions on the field, and conditions without any value.
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
                .map(|path| CategoryPath::new(path).name());
            there.words = names.collect::<Vec<_>>().join(" ");
        }
    }
    state
        .filters
        .retain(|f| f.range.is_some() || f.is.is_some() || !f.values.is_empty());
}
