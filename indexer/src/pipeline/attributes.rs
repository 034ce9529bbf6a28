//! Undeclared attributes: their types are inferred from the first values.

use std::collections::BTreeMap;

use serde_json::Value;
use vitrine_schemas::{AttributeType, CollectionConfig, Item};

use super::{IndexError, Pipeline};

type Types = BTreeMap<String, AttributeType>;

impl Pipeline<'_> {
    /// Declares the attributes of these items that the collection lacks.
    ///
    /// One that cannot be declared (invalid name, missing permission) is logged once; items that
    /// have it are rejected, each with the reason.
    pub(super) fn declare_attributes<'i>(
        &mut self,
        items: impl Iterator<Item = &'i Item>,
    ) -> Result<(), IndexError> {
        let mut new = Types::new();
        for (name, value) in items.flat_map(|item| &item.attributes) {
            if !self.config.attributes.contains_key(name)
                && !self.undeclarable.contains(name)
                && let Some(kind) = kind_of(value)
            {
                let known = new.entry(name.clone()).or_insert(kind);
                if (*known, kind) == (AttributeType::Integer, AttributeType::Float) {
                    *known = kind;
                }
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
}

fn kind_of(value: &Value) -> Option<AttributeType> {
    match value {
        Value::String(_) => Some(AttributeType::Keyword),
        Value::Bool(_) => Some(AttributeType::Bool),
        Value::Number(n) if n.is_i64() => Some(AttributeType::Integer),
        Value::Number(_) => Some(AttributeType::Float),
        Value::Array(values) => {
            let kinds: Vec<_> = values.iter().filter_map(kind_of).collect();
            let float = kinds.iter().find(|k| **k == AttributeType::Float);
            float.or(kinds.first()).copied()
        }
        Value::Null | Value::Object(_) => None,
    }
}
