//! Comparison of the old and the new spaces on the same queries, on the running server.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;
use vitrine_schemas::{Item, ReembeddingInfo, ReembeddingStage};

use crate::evaluate::{Configuration, JudgedQuery, RelevanceReport};
use crate::sink::{HttpSink, SinkError};
use crate::source::image::Images;

/// Maximum number of items that queries are sampled from.
const MAX_SAMPLED_ITEMS: usize = 50_000;

/// Queries of one group.
#[derive(Debug, Clone)]
pub struct QueryGroup {
    /// Description of the group.
    pub title: String,
    /// Queries.
    pub queries: Vec<JudgedQuery>,
}

/// Metrics of a group of queries in the old spaces and in the new ones.
pub struct Comparison {
    /// Description of the queries.
    pub title: String,
    /// Report; the old spaces are the first configuration.
    pub report: RelevanceReport,
}

impl Comparison {
    /// Runs a group's queries by vector in both sets of spaces.
    ///
    /// # Errors
    /// The server cannot be reached or rejects a search.
    pub fn run(
        server: &HttpSink,
        info: &ReembeddingInfo,
        group: &QueryGroup,
        bootstrap: (usize, u64),
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, SinkError> {
        let (old, new) = match info.stage {
            ReembeddingStage::Filling => (&info.current, &info.other),
            ReembeddingStage::Switched => (&info.other, &info.current),
        };
        let configurations = [("before", old), ("new", new)].map(|(name, set)| Configuration {
            name: name.to_owned(),
            body: json!({"mode": "vector", "fingerprint": set.fingerprint}),
        });
        let report =
            RelevanceReport::run(server, &group.queries, &configurations, bootstrap, progress)?;
        let title = group.title.clone();
        Ok(Self { title, report })
    }

    /// Returns true if nDCG@10 is lower by at most `tolerance` in 97.5 % of bootstrap resamples of
    /// the queries.
    pub fn is_not_worse(&self, tolerance: f64) -> bool {
        self.report
            .gain()
            .is_some_and(|gain| gain.low >= -tolerance)
    }
}

/// Returns known-item queries for collections without judgments: `count` items drawn at random
/// (from `among`, if given), each by its title and, if it can be read, by its image. The only
/// relevant item is the item itself.
///
/// # Errors
/// The server cannot be reached.
pub fn known_item_queries(
    server: &HttpSink,
    images: &Images,
    among: Option<&[String]>,
    count: usize,
    seed: u64,
) -> Result<Vec<QueryGroup>, SinkError> {
    let mut reservoir = Reservoir::new(count, seed);
    match among {
        Some(ids) => {
            for ids in ids.chunks(1000) {
                reservoir.extend(server.items(ids)?.items);
            }
        }
        None => {
            let mut cursor = None::<String>;
            while reservoir.seen < MAX_SAMPLED_ITEMS {
                let page = server.page(cursor.as_deref())?;
                reservoir.extend(page.items);
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }
    let items = reservoir.drawn;
    let query_for = |item: &Item, query| JudgedQuery {
        name: item.id.clone(),
        query,
        judged: HashMap::from([(item.id.clone(), 1.0)]),
    };
    let by_title = items.iter().filter_map(|item| {
        let title = item.title.as_ref().filter(|t| !t.trim().is_empty())?;
        Some(query_for(item, json!({ "text": title })))
    });
    let by_image = items.iter().filter_map(|item| {
        let bytes = images.load(item.images.first()?).ok()?;
        let query = json!({"image": BASE64_STANDARD.encode(bytes)});
        Some(query_for(item, query))
    });
    let mut groups = vec![
        QueryGroup {
            title: "known-item search by title".to_owned(),
            queries: by_title.collect(),
        },
        QueryGroup {
            title: "known-item search by image".to_owned(),
            queries: by_image.collect(),
        },
    ];
    groups.retain(|group| !group.queries.is_empty());
    Ok(groups)
}

/// Random sample of items (reservoir sampling, [Vitter 1985](https://doi.org/10.1145/3147.3165)).
struct Reservoir {
    rng: SmallRng,
    count: usize,
    seen: usize,
    drawn: Vec<Item>,
}

impl Reservoir {
    fn new(count: usize, seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            count,
            seen: 0,
            drawn: Vec::new(),
        }
    }
}

impl Extend<Item> for Reservoir {
    fn extend<T: IntoIterator<Item = Item>>(&mut self, items: T) {
        for item in items {
            let place = self.rng.random_range(0..=self.seen);
            self.seen += 1;
            if self.drawn.len() < self.count {
                self.drawn.push(item);
            } else if let Some(drawn) = self.drawn.get_mut(place) {
                *drawn = item;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_drawn_about_as_often() {
        let items: Vec<Item> = (0..20)
            .map(|n| Item {
                id: n.to_string(),
                ..Item::default()
            })
            .collect();
        let mut drawn = HashMap::<String, usize>::new();
        for seed in 0..2_000 {
            let mut reservoir = Reservoir::new(5, seed);
            reservoir.extend(items.iter().cloned());
            assert_eq!(reservoir.drawn.len(), 5);
            for item in reservoir.drawn {
                *drawn.entry(item.id).or_default() += 1;
            }
        }
        // 500 of 2,000 each on average, with a standard deviation of 19.
        assert_eq!(drawn.len(), 20);
        assert!(drawn.values().all(|n| (400..600).contains(n)), "{drawn:?}");
    }
}
