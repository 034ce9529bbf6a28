//! Dialogues: what a turn ("cheaper", "in blue", "更像第二个", "不要皮的") makes of what is searched for. No model, no network: the
//! same turn on the same state always gives the same state, and each piece says which words it came from.

mod lexicon;
mod place;
mod price;
mod reading;
mod state;

use vitrine_schemas::{
    Condition, DialogueAct, DialogueState, Filter, Match, Scalar, Unclear,
    filter::{HasIdCondition, MatchCondition, RangeCondition},
};

pub use self::{
    price::median,
    reading::read,
    state::{drop_part, exclude, like},
};

/// A turn, understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// What was understood, in the order of the words.
    pub acts: Vec<DialogueAct>,
    /// What was not.
    pub unclear: Vec<Unclear>,
    /// The turn before is taken back; the state is for the caller to find.
    pub undo: bool,
    /// The state after.
    pub after: DialogueState,
}

/// What items must match.
pub fn filter(state: &DialogueState) -> Filter {
    let mut filter = Filter::default();
    for one in &state.filters {
        let condition = match &one.range {
            Some(range) => Condition::Range(RangeCondition {
                key: one.field.clone(),
                range: range.clone(),
            }),
            None => Condition::Match(MatchCondition {
                key: one.field.clone(),
                r#match: Match::Any(one.values.iter().cloned().map(Scalar::Str).collect()),
            }),
        };
        match one.negated {
            true => filter.must_not.push(condition),
            false => filter.must.push(condition),
        }
    }
    if !state.excluded.is_empty() {
        filter.must_not.push(Condition::HasId(HasIdCondition {
            has_id: state.excluded.clone(),
        }));
    }
    filter
}

/// All words that say what is wanted, those of conditions too: they rank where there are no others. Empty where only prices
/// and what is not wanted are known.
pub fn words(state: &DialogueState) -> String {
    let wanted = state.filters.iter();
    let wanted = wanted.filter(|f| !f.negated && f.range.is_none());
    let words = wanted
        .map(|f| f.words.as_str())
        .chain([state.text.as_str()]);
    let words: Vec<_> = words.filter(|w| !w.trim().is_empty()).collect();
    words.join(" ")
}

/// Whether there is nothing to search for.
pub fn is_empty(state: &DialogueState) -> bool {
    state.like.is_none() && state.text.trim().is_empty() && state.filters.is_empty()
}
