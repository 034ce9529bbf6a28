//! Dialogues about the items of a collection.

use vitrine_schemas::{DialogueState, FilterSpec, Relaxation, ShownItem};

use super::Collection;
use crate::{
    Error, Result,
    dialogue::{self, Said},
};

/// Longest turn, in bytes.
const MOST_BYTES: usize = 4_096;

impl Collection {
    /// What a turn makes of a state, by the values that the items have. `shown` are the items that the shopper sees.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the text is empty or too long.
    pub fn converse(&self, text: &str, state: &DialogueState, shown: &[ShownItem]) -> Result<Said> {
        if text.trim().is_empty() {
            return Err(Error::invalid("/text", "must not be empty"));
        }
        if text.len() > MOST_BYTES {
            let detail = format!("has {} bytes, at most {MOST_BYTES} are taken", text.len());
            return Err(Error::invalid("/text", detail));
        }
        let vocabulary = self.state.read().vocabulary();
        Ok(dialogue::read(text, &vocabulary, state, shown))
    }

    /// What to take away of a state that nothing matches, what leaves most items first: one part where that is enough, else
    /// parts together, the latest first. The words, where what they are searched among is not empty.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a filter is at fault.
    pub fn relaxations(
        &self,
        state: &DialogueState,
        filter: Option<&FilterSpec>,
    ) -> Result<Vec<Relaxation>> {
        let within = self.state.read();
        let base = within.allowed(filter)?;
        let matches = |state: &DialogueState| -> Result<u64> {
            let spec = FilterSpec::Tree(dialogue::filter(state));
            Ok(base
                .numbers()
                .intersection_len(&within.matching(Some(&spec))?))
        };
        let all = matches(state)?;
        if all > 0 {
            let drop = ["text", "like"].into_iter().filter(|part| match *part {
                "text" => !state.text.is_empty(),
                _ => state.like.is_some(),
            });
            let drop: Vec<String> = drop.map(str::to_owned).collect();
            return Ok(drop
                .into_iter()
                .map(|part| Relaxation {
                    drop: vec![part],
                    matches: all,
                })
                .collect());
        }
        let mut parts: Vec<&str> = Vec::new();
        for filter in &state.filters {
            if !parts.contains(&filter.field.as_str()) {
                parts.push(&filter.field);
            }
        }
        if !state.excluded.is_empty() {
            parts.push("excluded");
        }
        let mut found = Vec::new();
        for part in &parts {
            let mut less = state.clone();
            dialogue::drop_part(&mut less, part);
            let matches = matches(&less)?;
            if matches > 0 {
                found.push(Relaxation {
                    drop: vec![(*part).to_owned()],
                    matches,
                });
            }
        }
        found.sort_by(|a, b| b.matches.cmp(&a.matches).then_with(|| a.drop.cmp(&b.drop)));
        if found.is_empty() {
            let (mut less, mut drop) = (state.clone(), Vec::new());
            for part in parts.iter().rev() {
                dialogue::drop_part(&mut less, part);
                drop.push((*part).to_owned());
                let matches = matches(&less)?;
                if matches > 0 {
                    found.push(Relaxation { drop, matches });
                    break;
                }
            }
        }
        Ok(found)
    }
}
