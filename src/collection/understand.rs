//! Queries understood by the collection's own values.

use std::{collections::BTreeMap, ops::Range as Span, sync::Arc};

use parking_lot::Mutex;
use vitrine_schemas::{
    Condition, Filter, Match, Range, Scalar, UnderstandRequest, UnderstandResponse, UnderstoodPart,
    filter::{MatchCondition, RangeCondition},
};

use super::{Collection, State};
use crate::{
    Error, Result,
    understanding::{Constraint, PriceRange, Understanding, Vocabulary},
};

/// A field with more different values is of names rather than of kinds, and no word is looked for among them.
const MOST_VALUES: usize = 20_000;

/// Longest text, in bytes.
const MOST_BYTES: usize = 4_096;

/// Fields whose values are codes, not words.
const CODES: [&str; 2] = ["availability", "currency"];

/// The words of one state; whatever changes it forgets them.
#[derive(Default)]
pub(super) struct Words(Mutex<Option<Arc<Vocabulary>>>);

impl Words {
    /// Forgets them.
    pub fn clear(&mut self) {
        *self.0.get_mut() = None;
    }
}

impl State {
    pub(super) fn vocabulary(&self) -> Arc<Vocabulary> {
        let mut words = self.words.0.lock();
        let make = || {
            let values = self.payload.keywords(MOST_VALUES);
            Arc::new(Vocabulary::new(values.filter(|v| !CODES.contains(&v.0))))
        };
        words.get_or_insert_with(make).clone()
    }
}

impl Collection {
    /// What a text means among the values that the items have.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the text is too long.
    pub fn understand(&self, request: &UnderstandRequest) -> Result<UnderstandResponse> {
        if request.text.len() > MOST_BYTES {
            let detail = format!(
                "has {} bytes, at most {MOST_BYTES} are taken",
                request.text.len()
            );
            return Err(Error::invalid("/text", detail));
        }
        let vocabulary = self.state.read().vocabulary();
        let without: Vec<_> = request.without.iter().map(String::as_str).collect();
        let understood = Understanding::of(&request.text, &vocabulary, &without);
        Ok(UnderstandResponse {
            filter: filter(&understood),
            parts: parts(&request.text, &understood),
            text: understood.text,
        })
    }
}

fn filter(understood: &Understanding) -> Filter {
    let any = |(field, values): (&str, Vec<&str>)| {
        let values = values.into_iter().map(|v| Scalar::Str(v.to_owned()));
        Condition::Match(MatchCondition {
            key: field.to_owned(),
            r#match: Match::Any(values.collect()),
        })
    };
    let price = understood.price();
    let price = (!price.is_empty()).then(|| {
        Condition::Range(RangeCondition {
            key: "price".to_owned(),
            range: range(price),
        })
    });
    Filter {
        must: understood
            .must()
            .into_iter()
            .map(any)
            .chain(price)
            .collect(),
        should: Vec::new(),
        must_not: understood.must_not().into_iter().map(any).collect(),
    }
}

fn range(price: PriceRange) -> Range {
    Range {
        gte: price.gte.map(Scalar::Float),
        lte: price.lte.map(Scalar::Float),
        ..Range::default()
    }
}

/// One part a piece of the text, also where it names several values.
fn parts(text: &str, understood: &Understanding) -> Vec<UnderstoodPart> {
    let mut pieces: BTreeMap<(usize, usize), UnderstoodPart> = BTreeMap::new();
    for part in &understood.parts {
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
                negated: false,
            });
        match &part.constraint {
            Constraint::Must { field, value } | Constraint::MustNot { field, value } => {
                piece.field.clone_from(field);
                piece.values.push(value.clone());
                piece.negated = matches!(part.constraint, Constraint::MustNot { .. });
            }
            Constraint::Price(price) => piece.range = Some(range(*price)),
        }
    }
    pieces.into_values().collect()
}
