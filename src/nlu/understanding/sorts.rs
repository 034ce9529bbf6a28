//! Orders of the hits that a query asks for.

use crate::nlu::{
    lexicon::SortIntent,
    vocabulary::{FieldKind, Vocabulary},
};

/// A field that hits are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The field.
    pub field: String,
    /// True for the greatest value first.
    pub descending: bool,
}

/// Returns the order that an intent means; `None` if no field tells.
pub(in crate::nlu) fn of(intent: SortIntent, vocabulary: &Vocabulary) -> Option<Sort> {
    let of = |field: &str, descending| Sort {
        field: field.to_owned(),
        descending,
    };
    match intent {
        SortIntent::Cheapest => Some(of("price", false)),
        SortIntent::Dearest => Some(of("price", true)),
        SortIntent::BestRated => {
            let field = vocabulary.field_named("rating", &[FieldKind::Number])?;
            Some(of(field, true))
        }
        SortIntent::Newest => {
            let field = vocabulary.field_named("release_date", &[FieldKind::Datetime]);
            Some(of(field.unwrap_or("created_at"), true))
        }
    }
}
