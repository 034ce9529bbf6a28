//! What is learned from a log.

use std::{collections::HashMap, time::Instant};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use vitrine_schemas::ModelInfo;

use super::{Log, popular::Popular};
use crate::{
    Result,
    cf::{ItemKnn, ItemKnnOptions, Matrix, Popularity},
};

/// Seconds in which the popularity of an event halves.
const HALF_LIFE: f64 = 30.0 * 86_400.0;

/// Purchases of a person within a day are one basket.
const BASKET_MICROS: i64 = 86_400 * 1_000_000;

/// Neighbours kept of an item.
const NEIGHBORS: usize = 100;

/// Models of one training.
pub(crate) struct Model {
    /// Items that the same people touched.
    pub item_knn: ItemKnn,
    /// Items bought together.
    pub baskets: ItemKnn,
    /// What is popular.
    pub popular: Popular,
    info: ModelInfo,
}

impl Model {
    /// Learns from a log, which is locked only while it is read.
    pub(crate) fn fit(log: &RwLock<Log>) -> Result<Self> {
        let started = Instant::now();
        let (touched, bought, popular, info) = gather(&log.read())?;
        let items = info.items as usize;
        let people = info.people as usize;
        let baskets = info.baskets as usize;
        let options = ItemKnnOptions {
            neighbors: NEIGHBORS,
            ..Default::default()
        };
        let knn = |rows, triples: Triples| {
            let matrix = Matrix::from_triples(rows, items, triples)?;
            ItemKnn::fit(&matrix, &options)
        };
        Ok(Self {
            item_knn: knn(people, touched)?,
            baskets: knn(baskets, bought)?,
            popular,
            info: ModelInfo {
                seconds: started.elapsed().as_secs_f64(),
                ..info
            },
        })
    }

    /// Touches it has seen.
    pub(crate) fn touches(&self) -> u64 {
        self.info.interactions
    }

    /// What it was learned from.
    pub fn info(&self) -> ModelInfo {
        self.info.clone()
    }
}

type Triples = Vec<(u32, u32, f32)>;

fn gather(log: &Log) -> Result<(Triples, Triples, Popular, ModelInfo)> {
    let (mut touched, mut bought) = (Vec::new(), Vec::new());
    let mut popularity = Popularity::new(log.names().len(), HALF_LIFE)?;
    let (mut people, mut baskets) = (0, 0_u32);
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for (person, row) in log.people().zip(0..) {
        people = row + 1;
        touched.extend(person.history().into_iter().map(|(i, w)| (row, i, w)));
        let mut days = HashMap::new();
        for touch in &person.touches {
            (first, last) = (first.min(touch.micros), last.max(touch.micros));
            popularity.add(touch.item, touch.weight, touch.micros as f64 / 1e6)?;
            if touch.bought {
                let basket = days
                    .entry(touch.micros.div_euclid(BASKET_MICROS))
                    .or_insert_with(|| {
                        baskets += 1;
                        baskets - 1
                    });
                bought.push((*basket, touch.item, 1.0));
            }
        }
    }
    let time = |micros| DateTime::<Utc>::from_timestamp_micros(micros).map(|t| t.to_rfc3339());
    let info = ModelInfo {
        trained_at: Utc::now().to_rfc3339(),
        seconds: 0.0,
        items: log.names().len() as u64,
        people: u64::from(people),
        interactions: log.touches(),
        baskets: u64::from(baskets),
        first_event: time(first),
        last_event: time(last),
    };
    let popular = Popular::of(&popularity);
    Ok((touched, bought, popular, info))
}
