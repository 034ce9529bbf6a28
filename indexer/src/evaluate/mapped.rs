//! Item neighbors, where items with few events are mapped to items with similar content, as served.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use vitrine::cf::{
    ContentMap, ContentMapOptions, ENOUGH_EVENTS, ItemKnnOptions, ModelSettings, Recommender,
    Scored, split::Interaction,
};

use super::{
    Dataset, EvaluateError, Protocol,
    dataset::{Vectors, dot},
};

/// Settings of the model of behavior, and of the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MappedOptions {
    /// Item neighbors: items that the same users chose.
    pub behavior: ItemKnnOptions,
    /// Map of items with few events.
    pub map: ContentMapOptions,
}

/// Scores of item neighbors, to which those of items with few events are added as estimated.
pub struct Mapped {
    behavior: Box<dyn Recommender>,
    map: ContentMap,
}

impl Mapped {
    /// Fits item neighbors, and maps the items with few events.
    ///
    /// # Errors
    /// Options out of range; there are no vectors.
    pub fn fit(
        options: &MappedOptions,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<Self, EvaluateError> {
        if data.vectors.is_empty() {
            return Err(EvaluateError::NoVectors);
        }
        let merged = protocol.weights.merged(train);
        let settings = ModelSettings::ItemKnn(options.behavior);
        let behavior = settings.fit(&merged, data.users(), data.items())?;
        let mut events = vec![0; data.items()];
        train.iter().for_each(|i| events[i.item as usize] += 1);
        Ok(Self {
            behavior: Box::new(behavior),
            map: map(&options.map, &data.vectors, &events),
        })
    }

    /// Adds the evidence of the estimates to the number of events of each item.
    pub fn add_evidence(&self, events: &mut [f32]) {
        let own = events.to_vec();
        for (item, events) in (0..).zip(events) {
            *events += self.map.evidence(item, |similar| own[similar as usize]);
        }
    }
}

/// Maps the items with few events, comparing each with all others.
fn map(options: &ContentMapOptions, vectors: &Vectors, events: &[u64]) -> ContentMap {
    let items = 0..events.len() as u32;
    let (enough, few): (Vec<u32>, Vec<u32>) =
        items.partition(|item| events[*item as usize] >= ENOUGH_EVENTS);
    let cosines = |item: &u32| {
        let vector = vectors.get(*item)?;
        let cosine = |other: &u32| {
            Some(Scored {
                item: *other,
                score: dot(vector, vectors.get(*other)?),
            })
        };
        let mut near: Vec<_> = enough.iter().filter_map(cosine).collect();
        near.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        near.truncate(options.neighbors);
        Some((*item, near))
    };
    let mapped: Vec<_> = few.par_iter().filter_map(cosines).collect();
    let mut map = ContentMap::new(*options);
    for (item, near) in mapped {
        map.insert(item, &near);
    }
    map
}

impl Recommender for Mapped {
    fn items(&self) -> usize {
        self.behavior.items()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        self.behavior.scores(history, out);
        let scored = (0..).zip(out.iter());
        let scored = scored.filter(|(_, score)| **score > 0.0);
        let scored: Vec<_> = scored
            .map(|(item, score)| Scored {
                item,
                score: *score,
            })
            .collect();
        for estimate in self.map.estimates(history, &scored) {
            out[estimate.item as usize] += estimate.score;
        }
    }
}

#[cfg(test)]
mod tests {
    use roaring::RoaringBitmap;

    use super::*;
    use crate::evaluate::protocol::tests::protocol;

    #[test]
    fn a_new_item_ranks_by_the_users_of_a_similar_one() {
        // Users of `a` choose `b`; the new item `x` is similar to `b`, `y` to `c`.
        let mut data = Dataset::new("test");
        for user in 0..20 {
            let items = if user < 17 { ["a", "b"] } else { ["d", "c"] };
            for item in items {
                data.add(&format!("u{user}"), item, Some(1.0), 0);
            }
        }
        for user in 20..40 {
            data.add(&format!("u{user}"), "c", Some(1.0), 0);
        }
        let item = |id: &str, vector: [f32; 3]| (id.to_owned(), None, Some(vector.to_vec()));
        data.describe([
            item("a", [0.0, 0.0, 1.0]),
            item("b", [1.0, 0.0, 0.0]),
            item("c", [0.0, 1.0, 0.0]),
            item("y", [0.1, 0.9, 0.0]),
            item("x", [0.9, 0.1, 0.0]),
        ]);
        let protocol = protocol("random:0.1");
        let train = data.interactions.clone();
        let fit = |data: &Dataset| Mapped::fit(&Default::default(), data, &train, &protocol);
        let model = fit(&data).unwrap_or_else(|e| panic!("{e}"));
        // a = 0, b = 1, d = 2, c = 3, y = 4, x = 5.
        let known = RoaringBitmap::from_iter(0..4);
        let best = model.recommend(&[(0, 1.0)], 2, &known);
        assert_eq!((best[0].item, best[1].item), (5, 4));
        assert!(best[0].score > 10.0 * best[1].score, "{best:?}");
        let mut events = vec![17.0, 17.0, 3.0, 23.0, 0.0, 0.0];
        model.add_evidence(&mut events);
        assert!(events[5] > 5.0 && events[5] < 17.0, "{events:?}");
        assert_eq!(events[..4], [17.0, 17.0, 3.0, 23.0], "not mapped");
        data.vectors = Vectors::default();
        assert!(matches!(fit(&data), Err(EvaluateError::NoVectors)));
    }
}
