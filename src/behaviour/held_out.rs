//! How well models foretell what people did last.

use vitrine_schemas::HeldOut;

use super::{gathered::Gathered, settings};
use crate::{
    Result,
    cf::{Matrix, Settings, tune},
};

/// People whose last item is held out: enough to tell models apart, few enough to cost little.
const MOST: usize = 2_000;

/// Fewer people tell nothing.
const LEAST: usize = 50;

/// Items of a person who can be asked about one of them.
const ITEMS: usize = 3;

/// All that people did but the last item of some.
pub(super) struct LastItems(tune::HeldOut);

impl LastItems {
    /// None where too few people have enough items.
    pub fn of(data: &Gathered) -> Result<Option<Self>> {
        // Visits of users would tell what is held out.
        let rows: Vec<_> = data.touched.chunk_by(|a, b| a.0 == b.0).collect();
        let own = |row: &&&[(u32, u32, f32)]| !data.again[row[0].0 as usize];
        let fit: Vec<_> = rows.iter().filter(own).collect();
        let able = fit.iter().filter(|row| row.len() >= ITEMS).count();
        if able < LEAST {
            return Ok(None);
        }
        let every = able.div_ceil(MOST);
        let (mut tested, mut triples, mut turn) = (Vec::new(), Vec::new(), 0);
        for row in fit {
            let mut known = *row;
            if let ([before @ .., last], true) = (known, row.len() >= ITEMS) {
                turn += 1;
                if turn % every == 0 {
                    tested.push((last.0, last.1));
                    known = before;
                }
            }
            triples.extend_from_slice(known);
        }
        let train = Matrix::from_triples(data.people as usize, data.names.len(), triples)?;
        Ok(Some(Self(tune::HeldOut { train, tested })))
    }

    /// The settings with what depends on the data as it foretells the last items best.
    pub fn tuned(&self, settings: &Settings) -> Result<Settings> {
        Ok(match settings {
            Settings::ItemKnn(options) => Settings::ItemKnn(tune::item_knn_on(&self.0, options)?),
            other => *other,
        })
    }

    /// Fits each model to all but the last items, and asks for those, among all items that are new to their people.
    pub fn compare(&self, models: &[Settings]) -> Result<Vec<HeldOut>> {
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
