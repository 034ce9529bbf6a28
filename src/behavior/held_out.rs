//! Comparison of models on held-out events: the last item of each user.

use vitrine_schemas::HeldOut;

use super::{settings, training_data::TrainingData};
use crate::{
    Result,
    cf::{Matrix, ModelSettings, held_out},
};

/// Maximum number of users whose last item is held out: enough to tell models apart at little cost.
const MAX_TEST_USERS: usize = 2_000;

/// Minimum number of test users; a comparison on fewer is not meaningful.
const MIN_TEST_USERS: usize = 50;

/// Minimum number of items of a test user.
const MIN_USER_ITEMS: usize = 3;

/// All interactions except the last item of some users.
pub(super) struct LastItems(held_out::HeldOut);

impl LastItems {
    /// Holds out the last items; None if too few users have enough items.
    pub fn of(data: &TrainingData) -> Result<Option<Self>> {
        // Without sessions of known users: they would leak what is held out.
        let rows: Vec<_> = data.touched.chunk_by(|a, b| a.0 == b.0).collect();
        let distinct = |row: &&&[(u32, u32, f32)]| !data.repeats_user[row[0].0 as usize];
        let distinct: Vec<_> = rows.iter().filter(distinct).collect();
        let eligible = distinct.iter().filter(|row| row.len() >= MIN_USER_ITEMS);
        let eligible = eligible.count();
        if eligible < MIN_TEST_USERS {
            return Ok(None);
        }
        let every = eligible.div_ceil(MAX_TEST_USERS);
        let (mut tested, mut triples, mut seen) = (Vec::new(), Vec::new(), 0);
        for row in distinct {
            let mut train = *row;
            if let ([before @ .., last], true) = (train, row.len() >= MIN_USER_ITEMS) {
                seen += 1;
                if seen % every == 0 {
                    tested.push((last.0, last.1));
                    train = before;
                }
            }
            triples.extend_from_slice(train);
        }
        let train = Matrix::from_triples(data.subjects as usize, data.names.len(), triples)?;
        Ok(Some(Self(held_out::HeldOut { train, tested })))
    }

    /// Returns the settings with those that depend on the data tuned to predict the last items.
    pub fn tuned(&self, settings: &ModelSettings) -> Result<ModelSettings> {
        settings.tuned(&self.0)
    }

    /// Fits each model without the last items, and ranks these among all items that are new to
    /// their user.
    pub fn compare(&self, models: &[ModelSettings]) -> Result<Vec<HeldOut>> {
        let figures = models.iter().map(|settings| {
            let figures = self.0.figures(&settings.fit_matrix(&self.0.train)?);
            Ok(HeldOut {
                model: settings::choice(settings),
                people: self.0.tested.len() as u64,
                recall_at_20: figures.recall,
                ndcg_at_20: figures.ndcg,
            })
        });
        figures.collect()
    }
}
