//! Types of attributes: guessed from values, declared in the collection, and applied to items.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use vitrine_schemas::{AttributeType, CollectionConfig, Item};

use super::{IndexError, Pipeline};
use crate::source::{Note, cells::coerce};

type Types = BTreeMap<String, AttributeType>;

/// Length of a text in bytes beyond which an attribute is a text and not a keyword.
const MAX_KEYWORD: usize = 1024;

/// Types that all values seen so far fit.
#[derive(Debug, Clone, Default)]
pub struct Guess(Types);

impl Guess {
    /// Adds the attributes of an item and its variants.
    pub fn add(&mut self, item: &Item) {
        for (name, value) in attributes(item) {
            self.add_value(name, value);
        }
    }

    fn add_value(&mut self, name: &str, value: &Value) {
        let Some(kind) = kind_of(value) else {
            return;
        };
        match self.0.get_mut(name) {
            Some(known) => *known = wider(*known, kind),
            None => {
                self.0.insert(name.to_owned(), kind);
            }
        }
    }

    /// Returns the types by attribute.
    pub fn types(self) -> BTreeMap<String, AttributeType> {
        self.0
    }
}

/// Returns the attributes of an item and its variants.
fn attributes(item: &Item) -> impl Iterator<Item = (&String, &Value)> {
    let variants = item.variants.iter();
    item.attributes
        .iter()
        .chain(variants.flat_map(|variant| &variant.attributes))
}

/// Returns the narrowest type that has the values of both.
fn wider(a: AttributeType, b: AttributeType) -> AttributeType {
    use AttributeType::{Float, Integer, Keyword, Text};
    match (a, b) {
        _ if a == b => a,
        (Integer, Float) | (Float, Integer) => Float,
        (Text, _) | (_, Text) => Text,
        _ => Keyword,
    }
}

fn kind_of(value: &Value) -> Option<AttributeType> {
    match value {
        Value::String(text) if text.len() > MAX_KEYWORD => Some(AttributeType::Text),
        Value::String(_) => Some(AttributeType::Keyword),
        Value::Bool(_) => Some(AttributeType::Bool),
        Value::Number(n) if n.is_i64() => Some(AttributeType::Integer),
        Value::Number(_) => Some(AttributeType::Float),
        Value::Array(values) => values.iter().filter_map(kind_of).reduce(wider),
        Value::Null | Value::Object(_) => None,
    }
}

impl Pipeline<'_> {
    /// Declares the attributes of these items that the collection lacks.
    ///
    /// One that cannot be declared (invalid name, missing permission) is logged once, and left out
    /// of the items.
    pub(super) fn declare_attributes<'i>(
        &mut self,
        items: impl Iterator<Item = &'i Item>,
    ) -> Result<(), IndexError> {
        let mut new = Guess::default();
        for (name, value) in items.flat_map(attributes) {
            if !self.config.attributes.contains_key(name) && !self.undeclarable.contains(name) {
                new.add_value(name, value);
            }
        }
        let mut new = new.types();
        for (name, kind) in &mut new {
            if let Some(guessed) = self.options.guessed.get(name) {
                *kind = wider(*kind, *guessed);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.declare(new)
    }

    fn declare(&mut self, new: Types) -> Result<(), IndexError> {
        let wanted = CollectionConfig {
            attributes: new.clone(),
            ..self.wanted()
        };
        match self.sink.prepare(&wanted) {
            Ok(config) => self.config = config,
            Err(error) if !error.is_rejection() => return Err(error.into()),
            Err(error) if new.len() == 1 => {
                tracing::warn!("cannot declare an attribute: {error}");
                self.undeclarable.extend(new.into_keys());
            }
            // Declared one by one to find the invalid one.
            Err(_) => {
                for (name, kind) in new {
                    self.declare([(name, kind)].into())?;
                }
            }
        }
        Ok(())
    }

    /// Converts the attributes of an item to their declared types; what has no reading of its type
    /// is left out.
    pub(super) fn conform(&mut self, line: u64, item: &mut Item) -> Result<(), IndexError> {
        let mut notes = Vec::new();
        let declared = &self.config.attributes;
        let variants = item.variants.iter_mut();
        let all = std::iter::once(&mut item.attributes)
            .chain(variants.map(|variant| &mut variant.attributes));
        for attributes in all {
            conform(attributes, declared, line, &mut notes);
        }
        for note in &notes {
            self.refuse_value(note, Some(&item.id))?;
        }
        Ok(())
    }
}

fn conform(
    attributes: &mut Map<String, Value>,
    declared: &Types,
    line: u64,
    notes: &mut Vec<Note>,
) {
    attributes.retain(|name, value| {
        let converted = match declared.get(name) {
            Some(kind) => {
                let reason = |e| {
                    let kind = serde_json::to_value(kind).unwrap_or_default();
                    format!("{e}; the collection declares the attribute as {kind}")
                };
                converted(value, *kind).map_err(reason)
            }
            None => Err("cannot be declared in the collection; rename the column".to_owned()),
        };
        match converted {
            Ok(converted) => *value = converted,
            Err(reason) => {
                notes.push(Note::new(line, name, value, &reason));
                return false;
            }
        }
        true
    });
}

fn converted(value: &Value, kind: AttributeType) -> Result<Value, String> {
    let one = |value: &Value| match (kind, value) {
        (AttributeType::Keyword | AttributeType::Text, Value::String(_))
        | (AttributeType::Float, Value::Number(_))
        | (AttributeType::Bool, Value::Bool(_)) => Ok(value.clone()),
        (AttributeType::Integer, Value::Number(n)) if n.is_i64() => Ok(value.clone()),
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => {
            Err("expected a scalar or a list of scalars, got nested values".to_owned())
        }
        _ => coerce(value, kind),
    };
    match value {
        Value::Array(values) => values
            .iter()
            .map(one)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::from),
        value => one(value),
    }
}
