//! The spaces from before and the new ones by the same questions, asked of the running server.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::json;
use vitrine_schemas::{Item, ReembeddingInfo, ReembeddingStage};

use crate::evaluate::{Configuration, Question, RelevanceReport};
use crate::sink::{HttpSink, SinkError};
use crate::source::photo::Photos;

/// Items that questions are drawn from at most.
const MOST_ITEMS: usize = 50_000;

/// Questions of one kind.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they are.
    pub title: String,
    /// The questions.
    pub questions: Vec<Question>,
}

/// The figures of a group of questions in the spaces from before and in the new ones.
pub struct Comparison {
    /// What the questions are.
    pub title: String,
    /// The spaces from before are the first configuration.
    pub report: RelevanceReport,
}

impl Comparison {
    /// Asks a group's questions by vector in both sets of spaces.
    ///
    /// # Errors
    /// The server cannot be reached or refuses a search.
    pub fn run(
        server: &HttpSink,
        info: &ReembeddingInfo,
        group: &Group,
        bootstrap: (usize, u64),
        tell: &mut dyn FnMut(u64),
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
            RelevanceReport::run(server, &group.questions, &configurations, bootstrap, tell)?;
        let title = group.title.clone();
        Ok(Self { title, report })
    }

    /// Whether nDCG@10 is lower by `tolerance` at most, in 97.5 % of resamples of the questions.
    pub fn is_no_worse(&self, tolerance: f64) -> bool {
        self.report
            .gain()
            .is_some_and(|gain| gain.low >= -tolerance)
    }
}

/// Questions where nobody judged any: `count` items drawn at random (of `among`, where that is given), each by its title and,
/// where its photo can be read, by that. What is right is the item itself.
///
/// # Errors
/// The server cannot be reached.
pub fn questions_of_items(
    server: &HttpSink,
    photos: &Photos,
    among: Option<&[String]>,
    count: usize,
    seed: u64,
) -> Result<Vec<Group>, SinkError> {
    let mut reservoir = Reservoir::new(count, seed);
    match among {
        Some(ids) => {
            for ids in ids.chunks(1000) {
                reservoir.extend(server.items(ids)?.items);
            }
        }
        None => {
            let mut cursor = None::<String>;
            while reservoir.seen < MOST_ITEMS {
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
    let question = |item: &Item, query| Question {
        name: item.id.clone(),
        query,
        judged: HashMap::from([(item.id.clone(), 1.0)]),
    };
    let by_title = items.iter().filter_map(|item| {
        let title = item.title.as_ref().filter(|t| !t.trim().is_empty())?;
        Some(question(item, json!({ "text": title })))
    });
    let by_photo = items.iter().filter_map(|item| {
        let bytes = photos.load(item.images.first()?).ok()?;
        let query = json!({"image": BASE64_STANDARD.encode(bytes)});
        Some(question(item, query))
    });
    let mut groups = vec![
        Group {
            title: "by title, the item itself is right".to_owned(),
            questions: by_title.collect(),
        },
        Group {
            title: "by photo, the item itself is right".to_owned(),
            questions: by_photo.collect(),
        },
    ];
    groups.retain(|group| !group.questions.is_empty());
    Ok(groups)
}

/// Items drawn at random (reservoir sampling, [Vitter 1985](https://doi.org/10.1145/3147.3165)).
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
        // 500 of 2,000 each on average, 19 the deviation.
        assert_eq!(drawn.len(), 20);
        assert!(drawn.values().all(|n| (400..600).contains(n)), "{drawn:?}");
    }
}
