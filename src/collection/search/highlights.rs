//! Highlights: fragments of a hit's texts with the matched words marked.

use std::collections::{BTreeMap, HashSet};

use vitrine_schemas::{Highlight, Hit, Item, Reason};

use crate::lexical::{highlight, matching_words};

/// Maximum number of words named in a reason.
const MAX_NAMED_WORDS: usize = 5;

/// Returns the texts of an item that are highlighted.
fn texts(item: &Item) -> [(&'static str, Option<&str>); 4] {
    [
        ("title", item.title.as_deref()),
        ("brand", item.brand.as_deref()),
        ("category", item.category.as_deref()),
        ("description", item.description.as_deref()),
    ]
}

/// Returns the texts that contain one of the terms.
pub(super) fn highlights(item: &Item, terms: &HashSet<&str>) -> Vec<Highlight> {
    let marked = texts(item).into_iter().filter_map(|(field, text)| {
        Some(Highlight {
            field: field.to_owned(),
            fragments: highlight(text?, terms)?,
        })
    });
    marked.collect()
}

/// Names the matched words in the reason of a full-text hit.
pub(super) fn name_words(reason: &mut Reason, item: &Item, terms: &HashSet<&str>) {
    if reason.code != "has_words" {
        return;
    }
    let mut words: Vec<String> = Vec::new();
    for text in texts(item).into_iter().filter_map(|(_, text)| text) {
        for word in matching_words(text, terms) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words.truncate(MAX_NAMED_WORDS);
    if !words.is_empty() {
        reason.text = format!("Matches: {}", words.join(", "));
    }
}

/// Returns the corrections of a query with the words that most hits have instead of index terms,
/// which lack their endings.
pub(super) fn corrections_as_written(
    corrections: &BTreeMap<String, String>,
    hits: &[Hit],
) -> BTreeMap<String, String> {
    let as_written = |term: &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let terms = HashSet::from([term]);
        let texts = hits.iter().flat_map(|hit| texts(&hit.item));
        for text in texts.filter_map(|(_, text)| text) {
            for word in matching_words(text, &terms) {
                *counts.entry(word).or_default() += 1;
            }
        }
        // The first of the alphabet among equally frequent ones, which is rather the singular.
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map_or_else(|| term.to_owned(), |(word, _)| word)
    };
    let corrections = corrections.iter();
    corrections
        .map(|(typed, term)| (typed.clone(), as_written(term)))
        .collect()
}
