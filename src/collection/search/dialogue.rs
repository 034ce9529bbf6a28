//! Dialogue turns, interpreted with the vocabulary of a collection.

use vitrine_schemas::{DialogueState, FilterSpec, Relaxation, ShownItem};

use crate::{
    Error, Result,
    collection::{Collection, schema},
    nlu::dialogue::{self, TurnInterpretation},
};

/// Maximum length of a turn, in bytes.
const MAX_TURN_BYTES: usize = 4_096;

impl Collection {
    /// Interprets a turn of a dialogue in `state`, with the field values of the items. `shown` are
    /// the hits that the shopper sees.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the text is empty or too long.
    pub fn interpret_turn(
        &self,
        text: &str,
        state: &DialogueState,
        shown: &[ShownItem],
    ) -> Result<TurnInterpretation> {
        if text.trim().is_empty() {
            return Err(Error::invalid("/text", "must not be empty"));
        }
        schema::limit("/text", text.len(), MAX_TURN_BYTES)?;
        self.read_text(|vocabulary, items| {
            dialogue::interpret_turn(text, vocabulary, state, shown, Some(items))
        })
    }

    /// Returns the constraints to drop from a state that nothing matches, those that leave the most
    /// items first: single constraints if one is enough, or else several together, the latest
    /// first. If items match the filters, the text or the reference item is to be dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`]: a filter is invalid.
    pub fn relaxations(
        &self,
        state: &DialogueState,
        filter: Option<&FilterSpec>,
    ) -> Result<Vec<Relaxation>> {
        let items = self.state.read();
        let eligible = items.visible_matches(filter)?;
        let matches = |state: &DialogueState| -> Result<u64> {
            let spec = FilterSpec::Tree(dialogue::filter(state));
            Ok(eligible
                .internal_ids()
                .intersection_len(&items.matching(Some(&spec))?))
        };
        let all = matches(state)?;
        if all > 0 {
            let queries = [
                ("text", !state.text.is_empty()),
                ("like", state.like.is_some()),
            ];
            let set = queries.into_iter().filter(|(_, is_set)| *is_set);
            let drop = set.map(|(query, _)| Relaxation {
                drop: vec![query.to_owned()],
                matches: all,
            });
            return Ok(drop.collect());
        }
        let mut constraints: Vec<&str> = Vec::new();
        for filter in &state.filters {
            if !constraints.contains(&filter.field.as_str()) {
                constraints.push(&filter.field);
            }
        }
        if !state.excluded.is_empty() {
            constraints.push("excluded");
        }
        let mut relaxations = Vec::new();
        for constraint in &constraints {
            let mut relaxed = state.clone();
            dialogue::drop_part(&mut relaxed, constraint);
            let matches = matches(&relaxed)?;
            if matches > 0 {
                relaxations.push(Relaxation {
                    drop: vec![(*constraint).to_owned()],
                    matches,
                });
            }
        }
        relaxations.sort_by(|a, b| b.matches.cmp(&a.matches).then_with(|| a.drop.cmp(&b.drop)));
        if relaxations.is_empty() {
            let (mut relaxed, mut drop) = (state.clone(), Vec::new());
            for constraint in constraints.iter().rev() {
                dialogue::drop_part(&mut relaxed, constraint);
                drop.push((*constraint).to_owned());
                let matches = matches(&relaxed)?;
                if matches > 0 {
                    relaxations.push(Relaxation { drop, matches });
                    break;
                }
            }
        }
        Ok(relaxations)
    }
}
