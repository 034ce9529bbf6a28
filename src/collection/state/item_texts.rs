//! The texts of an item that full-text search and ranking features read.

use std::collections::HashSet;

use serde_json::{Map, Value};
use vitrine_schemas::{CollectionConfig, Item};

use crate::lexical::Texts;

/// Returns the searched texts: title, brand, category, id with the text attributes and those of the
/// variants, description.
pub(in crate::collection) fn texts(config: &CollectionConfig, item: &Item) -> Texts {
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut attributes = Words {
        text: item.id.clone(),
        seen: HashSet::new(),
    };
    attributes.add_all(config, &item.attributes);
    for variant in &item.variants {
        attributes.add(&variant.id);
        variant.title.iter().for_each(|title| attributes.add(title));
        attributes.add_all(config, &variant.attributes);
    }
    [
        given(&item.title),
        given(&item.brand),
        given(&item.category),
        attributes.text,
        given(&item.description),
    ]
}

/// Texts of attributes with a separator, so that no phrase spans two of them. A text that several
/// variants share is there once.
struct Words<'a> {
    text: String,
    seen: HashSet<&'a str>,
}

impl<'a> Words<'a> {
    fn add(&mut self, word: &'a str) {
        if self.seen.insert(word) {
            self.text.push_str(" | ");
            self.text.push_str(word);
        }
    }

    /// Adds the attributes that full-text search covers.
    fn add_all(&mut self, config: &CollectionConfig, attributes: &'a Map<String, Value>) {
        for (name, value) in attributes {
            let kind = config.attributes.get(name);
            if kind.is_some_and(|kind| kind.is_words()) {
                self.add_value(value);
            }
        }
    }

    fn add_value(&mut self, value: &'a Value) {
        match value {
            Value::String(word) => self.add(word),
            Value::Array(values) => values.iter().for_each(|value| self.add_value(value)),
            _ => {}
        }
    }
}
