//! Understanding of query texts with the field values of the collection's items.

use std::{collections::BTreeMap, ops::Range as Span};

use vitrine_schemas::{
    Condition, Filter, Match, Scalar, SortKey, SortOrder, UnderstandRequest, UnderstandResponse,
    UnderstoodPart,
    filter::{MatchCondition, RangeCondition},
};

use crate::{
    Result,
    collection::{Collection, schema},
    nlu::understanding::{Constraint, Part, Sort, Understanding, days},
};

/// Maximum length of a text, in bytes.
const MAX_TEXT_BYTES: usize = 4_096;

impl Collection {
    /// Finds the field values and prices that a text names.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`]: the text is too long.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, _database, shop) = support::shop()?;
    /// let request = json!({"text": "red shoes under $50"});
    /// let understood = shop.understand(&serde_json::from_value(request)?)?;
    /// let fields: Vec<_> = understood.parts.iter().map(|part| part.field.as_str()).collect();
    /// assert!(fields.contains(&"color") && fields.contains(&"price"), "{fields:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn understand(&self, request: &UnderstandRequest) -> Result<UnderstandResponse> {
        let _span = tracing::info_span!("understand", collection = self.name()).entered();
        schema::limit("/text", request.text.len(), MAX_TEXT_BYTES)?;
        let without: Vec<_> = request.without.iter().map(String::as_str).collect();
        let understood = self.read_text(|vocabulary, items| {
            Understanding::with(&request.text, vocabulary, &without, items)
        })?;
        Ok(UnderstandResponse {
            filter: filter(&understood),
            sort: understood.sort().map(sort_key),
            parts: parts(&request.text, &understood.parts),
            preferred: parts(&request.text, &understood.preferred),
            text: understood.text,
        })
    }
}

fn filter(understood: &Understanding) -> Filter {
    let any = |(field, values): (&str, Vec<&str>)| {
        Condition::Match(MatchCondition::any_of(field, values))
    };
    let price = understood.price();
    let price = (!price.is_empty()).then(|| {
        Condition::Range(RangeCondition {
            key: "price".to_owned(),
            range: price.into(),
        })
    });
    let others = understood.parts.iter().filter_map(other_condition);
    Filter {
        must: understood
            .must()
            .into_iter()
            .map(any)
            .chain(price)
            .chain(others)
            .collect(),
        should: Vec::new(),
        must_not: understood.must_not().into_iter().map(any).collect(),
    }
}

/// Returns the condition of a rating or an availability.
fn other_condition(part: &Part) -> Option<Condition> {
    match &part.constraint {
        Constraint::Range { field, bounds } => Some(Condition::Range(RangeCondition {
            key: field.clone(),
            range: (*bounds).into(),
        })),
        Constraint::Days { field, from, until } => Some(Condition::Range(RangeCondition {
            key: field.clone(),
            range: days(*from, *until),
        })),
        Constraint::Is { field, value } => Some(Condition::Match(MatchCondition {
            key: field.clone(),
            r#match: Match::Value(Scalar::Bool(*value)),
        })),
        _ => None,
    }
}

fn sort_key(sort: &Sort) -> SortKey {
    let order = match sort.descending {
        true => SortOrder::Desc,
        false => SortOrder::Asc,
    };
    SortKey {
        field: sort.field.clone(),
        order: Some(order),
    }
}

/// Returns one part per piece of the text, also if a piece names several values.
fn parts(text: &str, understood: &[Part]) -> Vec<UnderstoodPart> {
    let mut pieces: BTreeMap<(usize, usize), UnderstoodPart> = BTreeMap::new();
    for part in understood {
        let Span { start, end } = part.span;
        let characters = |at: usize| text[..at].chars().count() as u64;
        let piece = pieces
            .entry((start, end))
            .or_insert_with(|| UnderstoodPart {
                words: text[start..end].to_owned(),
                start: characters(start),
                end: characters(end),
                field: "price".to_owned(),
                values: Vec::new(),
                range: None,
                sort: None,
                negated: false,
            });
        match &part.constraint {
            Constraint::Must { field, value } | Constraint::MustNot { field, value } => {
                piece.field.clone_from(field);
                piece.values.push(value.clone());
                piece.negated = matches!(part.constraint, Constraint::MustNot { .. });
            }
            Constraint::Price(price) => piece.range = Some((*price).into()),
            Constraint::Range { field, bounds } => {
                piece.field.clone_from(field);
                piece.range = Some((*bounds).into());
            }
            Constraint::Days { field, from, until } => {
                piece.field.clone_from(field);
                piece.range = Some(days(*from, *until));
            }
            Constraint::Is { field, value } => {
                piece.field.clone_from(field);
                piece.values.push(value.to_string());
            }
            Constraint::Sort(sort) => {
                piece.field = "sort".to_owned();
                piece.sort = Some(sort_key(sort));
            }
        }
    }
    pieces.into_values().collect()
}
