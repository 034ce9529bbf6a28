//! Dialogues: interprets a turn ("cheaper", "in blue", "更像第二个", "不要皮的") as a change of the
//! search state. No model, no network: the same turn on the same state always gives the same state,
//! and each act names the words it came from.

mod comparisons;
mod edits;
mod field_names;
mod leftovers;
mod new_bound;
mod phrases;
mod positions;
mod price;
mod reader;
mod references;
mod state;
mod trimming;
mod whole_turns;

use vitrine_schemas::{
    Condition, DialogueAct, DialogueState, Filter, Match, Scalar, Unclear,
    filter::{HasIdCondition, MatchCondition, RangeCondition},
};

pub use self::{
    price::median,
    reader::interpret_turn,
    state::{drop_part, exclude_item, like},
};

/// Interpretation of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnInterpretation {
    /// Recognized acts, in the order of the words.
    pub acts: Vec<DialogueAct>,
    /// Words that could not be interpreted.
    pub unclear: Vec<Unclear>,
    /// True if the turn undoes the previous one; the caller restores that state.
    pub undo: bool,
    /// State after the turn.
    pub after: DialogueState,
}

/// Returns the filter that items must match.
pub fn filter(state: &DialogueState) -> Filter {
    let mut filter = Filter::default();
    for one in &state.filters {
        let key = one.field.clone();
        let condition = match (&one.range, one.is) {
            (Some(range), _) => Condition::Range(RangeCondition {
                key,
                range: range.clone(),
            }),
            (None, Some(is)) => Condition::Match(MatchCondition {
                key,
                r#match: Match::Value(Scalar::Bool(is)),
            }),
            (None, None) => {
                let values = one.values.iter().map(String::as_str);
                Condition::Match(MatchCondition::any_of(&key, values))
            }
        };
        if one.negated {
            filter.must_not.push(condition);
        } else {
            filter.must.push(condition);
        }
    }
    if !state.excluded.is_empty() {
        filter.must_not.push(Condition::HasId(HasIdCondition {
            has_id: state.excluded.clone(),
        }));
    }
    filter
}

/// Returns all words of the required values and of the text: they rank the items if there is no
/// other query. Empty if the state has only prices and exclusions.
pub fn words(state: &DialogueState) -> String {
    let wanted = state.filters.iter();
    let wanted = wanted.filter(|f| !f.negated && f.range.is_none() && f.is.is_none());
    let words = wanted
        .map(|f| f.words.as_str())
        .chain([state.text.as_str()]);
    let words: Vec<_> = words.filter(|w| !w.trim().is_empty()).collect();
    words.join(" ")
}

/// Returns true if the state has no reference item, no text and no conditions.
pub fn is_empty(state: &DialogueState) -> bool {
    state.like.is_none() && state.text.trim().is_empty() && state.filters.is_empty()
}
