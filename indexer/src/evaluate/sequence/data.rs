//! Sequences of items by user, from a file or from interactions.

use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
};

use vitrine::cf::split::{Interaction, Split};

use crate::{
    evaluate::{Dataset, EvaluateError, HoldOut},
    train::sequence::Question,
};

/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Microseconds in a day.
const DAY: f64 = 86_400e6;

/// Sequences of items by user.
#[derive(Clone, Debug, Default)]
pub struct SequenceData {
    /// Source, for reports.
    pub name: String,
    /// Number of items.
    pub items: usize,
    /// Number of users.
    pub users: usize,
    /// Interactions of weight 1; those of a user ascend in time.
    pub interactions: Vec<Interaction>,
    /// Number of lines without an item.
    pub refused: usize,
}

/// Sequences to learn from, and next items to predict.
pub(super) struct HeldOutItems {
    pub train: Vec<Interaction>,
    pub questions: Vec<Question>,
    /// Number of users whose held-out items they all had before.
    pub without_new: usize,
    /// Number of users with held-out items, but without any before.
    pub without_history: usize,
}

impl SequenceData {
    /// Reads a file with a line for each user: the user, then their items in the order of time,
    /// separated by spaces, tabs or commas (the form of S3-Rec); plain or gzip.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = std::fs::read(path)?;
        if bytes.starts_with(&GZIP) {
            let mut unpacked = Vec::new();
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut unpacked)?;
            bytes = unpacked;
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(Self::parse(
            &path.display().to_string(),
            text.trim_start_matches('\u{feff}'),
        ))
    }

    pub(super) fn parse(name: &str, text: &str) -> Self {
        let mut data = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let (mut users, mut items) = (HashMap::new(), HashMap::new());
        let mut ends: Vec<i64> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let fields = line.split(|c: char| c.is_whitespace() || c == ',');
            let mut fields = fields.filter(|field| !field.is_empty()).peekable();
            let Some(user) = fields.next().filter(|_| fields.peek().is_some()) else {
                data.refused += 1;
                continue;
            };
            let next = users.len() as u32;
            let user = *users.entry(user.to_owned()).or_insert(next);
            ends.resize(users.len(), 0);
            for item in fields {
                let next = items.len() as u32;
                data.interactions.push(Interaction {
                    user,
                    item: *items.entry(item.to_owned()).or_insert(next),
                    weight: 1.0,
                    at: ends[user as usize],
                });
                ends[user as usize] += 1;
            }
        }
        (data.users, data.items) = (users.len(), items.len());
        data
    }

    /// Returns the sequences of a data set by the times of its interactions.
    pub fn of(data: &Dataset) -> Self {
        let mut interactions = data.interactions.clone();
        interactions.sort_by_key(|i| (i.user, i.at));
        interactions.iter_mut().for_each(|i| i.weight = 1.0);
        Self {
            name: data.name.clone(),
            items: data.items(),
            users: data.users(),
            interactions,
            refused: data.refused,
        }
    }

    /// Returns sequences of items below `items`, one for each user.
    pub fn of_sequences(name: &str, items: usize, sequences: &[Vec<u32>]) -> Self {
        let mut interactions = Vec::new();
        for (user, sequence) in (0..).zip(sequences) {
            let places = sequence.iter().zip(0..);
            interactions.extend(places.map(|(item, at)| Interaction {
                user,
                item: *item,
                weight: 1.0,
                at,
            }));
        }
        Self {
            name: name.to_owned(),
            items,
            users: sequences.len(),
            interactions,
            refused: 0,
        }
    }

    /// Holds out interactions. The question of a user is the first held-out item that they did not
    /// have before.
    ///
    /// # Errors
    /// A random split, or nothing to learn from or to predict.
    pub(super) fn hold_out(&self, rule: HoldOut) -> Result<HeldOutItems, EvaluateError> {
        let all = &self.interactions;
        let last = all.iter().map(|i| i.at).max().unwrap_or(0);
        let split = match rule {
            HoldOut::Last(count) => Split::leave_last(all, count),
            HoldOut::Latest(share) => Split::temporal(all, share)?,
            HoldOut::Days(days) => Split::at(all, last.saturating_sub((days * DAY) as i64)),
            HoldOut::Random(_) => return Err(EvaluateError::NoOrder),
        };
        let (histories, chosen) = (self.by_user(&split.train), self.by_user(&split.test));
        let mut held_out = HeldOutItems {
            train: split.train,
            questions: Vec::new(),
            without_new: 0,
            without_history: 0,
        };
        for (history, chosen) in histories.iter().zip(&chosen) {
            let next = chosen.iter().find(|item| !history.contains(item));
            match next {
                _ if chosen.is_empty() => {}
                _ if history.is_empty() => held_out.without_history += 1,
                Some(next) => held_out.questions.push(Question::new(history, *next)),
                None => held_out.without_new += 1,
            }
        }
        if held_out.questions.is_empty() && !held_out.train.is_empty() {
            return Err(EvaluateError::NobodyToTest {
                candidates: chosen.iter().filter(|items| !items.is_empty()).count(),
                without_history: held_out.without_history,
                min_history: 1,
                without_new: held_out.without_new,
            });
        }
        if held_out.train.is_empty() {
            return Err(EvaluateError::NothingToLearn {
                split: rule.to_string(),
                events: all.len(),
            });
        }
        Ok(held_out)
    }

    /// Returns the items of each user, the oldest first.
    pub(super) fn by_user(&self, interactions: &[Interaction]) -> Vec<Vec<u32>> {
        let mut sorted: Vec<&Interaction> = interactions.iter().collect();
        sorted.sort_by_key(|i| i.at);
        let mut sequences = vec![Vec::new(); self.users];
        for interaction in sorted {
            sequences[interaction.user as usize].push(interaction.item);
        }
        sequences
    }
}
