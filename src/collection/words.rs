//! What is shown of the words that were found.

use std::collections::HashSet;

use vitrine_schemas::{Highlight, Item, Reason};

use crate::lexical::{highlight, matching_words};

/// Words named in a reason.
const NAMED: usize = 5;

/// Texts of an item that are shown with their words.
fn texts(item: &Item) -> [(&'static str, Option<&str>); 4] {
    [
        ("title", item.title.as_deref()),
        ("brand", item.brand.as_deref()),
        ("category", item.category.as_deref()),
        ("description", item.description.as_deref()),
    ]
}

/// The texts with a word found.
pub(super) fn highlights(item: &Item, terms: &HashSet<&str>) -> Vec<Highlight> {
    let marked = texts(item).into_iter().filter_map(|(field, text)| {
        Some(Highlight {
            field: field.to_owned(),
            fragments: highlight(text?, terms)?,
        })
    });
    marked.collect()
}

/// Names the words in a reason that rests on them.
pub(super) fn tell(reason: &mut Reason, item: &Item, terms: &HashSet<&str>) {
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
    words.truncate(NAMED);
    if !words.is_empty() {
        reason.text = format!("Has {}", words.join(", "));
    }
}
