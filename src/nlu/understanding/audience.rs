//! Recipients and ages: "for my 6 year old daughter", 给爸爸. They become conditions on the fields
//! that tell whom an item is for.

use std::ops::Range;

use super::candidates::{Candidate, choices};
use crate::nlu::{
    lexicon::{Language, Recipient},
    measures::Measure,
    vocabulary::{Meaning, Vocabulary},
};

/// Ages in months below which a person is a baby, a child, a teenager.
const MAX_AGES: [f64; 3] = [24.0, 156.0, 216.0];

/// Whom an item is for, as far as a query says.
#[derive(Clone, Debug, Default)]
pub(super) struct Audience {
    person: Option<(Range<usize>, Recipient)>,
    age: Option<(Range<usize>, Measure)>,
}

impl Audience {
    /// Adds a person; a younger one is more precise ("for my wife and our son" is for the son).
    pub fn add_person(&mut self, tokens: Range<usize>, recipient: Recipient) {
        if self.person.as_ref().is_none_or(|(_, was)| *was < recipient) {
            self.person = Some((tokens, recipient));
        }
    }

    /// Adds an age.
    pub fn add_age(&mut self, tokens: Range<usize>, age: Measure) {
        self.age = Some((tokens, age));
    }

    /// Returns the person's tokens.
    pub fn person(&self) -> Option<Range<usize>> {
        self.person.as_ref().map(|(tokens, _)| tokens.clone())
    }

    /// Returns the conditions that the items may have to meet.
    pub fn candidates(
        &self,
        vocabulary: &Vocabulary,
        language: Language,
        without: &[&str],
    ) -> Vec<Candidate> {
        let named = |names: &[&str]| {
            let found = names
                .iter()
                .flat_map(|name| vocabulary.named(name, language));
            found.cloned().collect::<Vec<Meaning>>()
        };
        let mut found: Vec<(Range<usize>, Vec<Meaning>)> = Vec::new();
        let young = self.stage();
        if let Some((tokens, person)) = &self.person {
            let own = match person {
                Recipient::Girl => named(&["girls"]),
                Recipient::Boy => named(&["boys"]),
                Recipient::Woman | Recipient::OldWoman => named(&["women"]),
                Recipient::Man | Recipient::OldMan => named(&["men"]),
                Recipient::Senior | Recipient::Adult | Recipient::Child | Recipient::Baby => {
                    Vec::new()
                }
            };
            let own = match (own.is_empty(), person) {
                (true, Recipient::Girl) => named(&["women"]),
                (true, Recipient::Boy) => named(&["men"]),
                _ => own,
            };
            found.push((tokens.clone(), own));
        }
        let tokens = self.age.as_ref().map(|(tokens, _)| tokens.clone());
        let tokens = tokens.or(self.person());
        if let Some(tokens) = tokens {
            let measured = self
                .age
                .iter()
                .flat_map(|(_, age)| vocabulary.measured(age, language));
            let mut aged: Vec<Meaning> = measured.map(|value| value.meaning.clone()).collect();
            if aged.is_empty() {
                aged = young.map(named).unwrap_or_default();
            }
            found.push((tokens, aged));
        }
        let candidates = found.into_iter().map(|(tokens, meanings)| Candidate {
            tokens,
            choices: choices(&meanings, without),
            negated: false,
            joined: false,
            purpose: false,
            soft: true,
        });
        candidates.filter(|c| !c.choices.is_empty()).collect()
    }

    /// Returns the names of the group of ages, if the person is young.
    fn stage(&self) -> Option<&'static [&'static str]> {
        let [baby, child, teen] = MAX_AGES;
        match (&self.age, &self.person) {
            (Some((_, age)), _) if age.low < 12.0 => Some(&["baby"]),
            (Some((_, age)), _) if age.low < baby => Some(&["toddlers", "baby"]),
            (Some((_, age)), _) if age.low < child => Some(&["kids"]),
            (Some((_, age)), _) if age.low < teen => Some(&["teens", "kids"]),
            (Some(_), _) => Some(&["adult"]),
            (None, Some((_, Recipient::Girl | Recipient::Boy | Recipient::Child))) => {
                Some(&["kids"])
            }
            (None, Some((_, Recipient::Baby))) => Some(&["baby"]),
            (None, Some((_, Recipient::Adult))) => Some(&["adult"]),
            (None, Some((_, Recipient::Senior | Recipient::OldMan | Recipient::OldWoman))) => {
                Some(&["seniors"])
            }
            _ => None,
        }
    }
}
