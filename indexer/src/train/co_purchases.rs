//! Items that the same people chose, as a training sees them: the views of each item, and who chose which.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};

use super::{TrainError, Views};
use crate::encode::ModelError;
use crate::space::heads::{BehaviorFeatures, Heads, View};

/// Choices of a person that are learned from in an epoch: somebody who buys for a shop must not drown all others.
const MOST_EACH: usize = 32;

/// Items and what people chose of them.
///
/// Two items are a pair where one person chose both and they are not of the same category; items without a category are
/// of none, so any two of them can be.
#[derive(Clone)]
pub struct CoPurchases {
    /// Ids; all else goes by their places.
    pub ids: Vec<String>,
    views: BTreeMap<View, Rows>,
    /// Texts and photos in the shared space without heads.
    untrained: [Rows; 2],
    /// Numbers of categories; `None`: of none.
    categories: Vec<Option<u32>>,
    behavior: Arc<BehaviorFeatures>,
    /// Places of the items of each person who has a pair.
    people: Vec<Vec<u32>>,
    shares: Vec<f64>,
    /// Of whose pairs it is learned: items that may stand at their left.
    anchors: Vec<bool>,
}

/// How much a view of an item counts, and its features.
type Weighted = (f32, Vec<f32>);

/// Features of one view, a row an item, zeros where it lacks the view.
#[derive(Clone)]
struct Rows {
    features: Tensor,
    weights: Vec<f32>,
}

/// Two items that a person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoPurchase {
    /// Place of the one.
    pub left: u32,
    /// Place of the other, of another category.
    pub right: u32,
    /// Place of the person.
    pub person: u32,
}

impl CoPurchases {
    /// Of the items that have any view; `choices` gives each person's items by id, of which those that are not among `items`
    /// are passed over. `behavior` may be empty.
    ///
    /// # Errors
    /// Features of one view differ in length.
    pub fn of(
        items: &[Views],
        behavior: &Arc<BehaviorFeatures>,
        choices: &[Vec<String>],
    ) -> Result<Self, TrainError> {
        let seen =
            |v: &&Views| v.text.is_some() || v.photo.is_some() || behavior.of(&v.id).is_some();
        let items: Vec<&Views> = items.iter().filter(seen).collect();
        let mut views = BTreeMap::new();
        let mut add = |view: View, rows: Rows| {
            if rows.weights.iter().any(|w| *w > 0.0) {
                views.insert(view, rows);
            }
        };
        let each = |of: &dyn Fn(&Views) -> Option<Weighted>| Rows::of(items.iter().map(|v| of(v)));
        add(View::Text, each(&|v| Some((1.0, v.text.clone()?)))?);
        add(View::Photo, each(&|v| Some((1.0, v.photo.clone()?)))?);
        add(
            View::Behavior,
            each(&|v| behavior.of(&v.id).map(|(w, f)| (w, f.to_vec())))?,
        );
        let untrained = [
            each(&|v| Some((1.0, v.untrained[0].clone()?)))?,
            each(&|v| Some((1.0, v.untrained[1].clone()?)))?,
        ];
        let mut numbers = HashMap::new();
        let categories = items.iter().map(|v| {
            let next = numbers.len() as u32;
            (!v.category.is_empty()).then(|| *numbers.entry(v.category.as_str()).or_insert(next))
        });
        let categories = categories.collect();
        let all = Self {
            ids: items.iter().map(|v| v.id.clone()).collect(),
            views,
            untrained,
            categories,
            behavior: behavior.clone(),
            people: Vec::new(),
            shares: Vec::new(),
            anchors: vec![true; items.len()],
        };
        Ok(all.chosen(choices))
    }

    /// The same items with other choices.
    #[must_use]
    pub fn chosen(&self, choices: &[Vec<String>]) -> Self {
        let places: HashMap<&str, u32> = self.ids.iter().map(String::as_str).zip(0..).collect();
        let people = choices.iter().map(|ids| {
            let known = ids.iter().filter_map(|id| places.get(id.as_str()));
            let mut own: Vec<u32> = known.copied().collect();
            own.sort_unstable();
            own.dedup();
            own
        });
        let mut all = self.clone();
        all.people = people.collect();
        all.drop_people_without_pairs();
        all
    }

    /// Only pairs with an item of `wanted` at the left, and no item of `unwanted` anywhere.
    #[must_use]
    pub fn restricted(
        mut self,
        wanted: impl Fn(&str) -> bool,
        unwanted: impl Fn(&str) -> bool,
    ) -> Self {
        self.anchors = self.ids.iter().map(|id| wanted(id)).collect();
        let out: Vec<bool> = self.ids.iter().map(|id| unwanted(id)).collect();
        for own in &mut self.people {
            own.retain(|item| !out[*item as usize]);
        }
        self.drop_people_without_pairs();
        self
    }

    /// The same items as the towers of `heads` have them: what a transfer of features learns from.
    ///
    /// # Errors
    /// The features do not fit the towers.
    pub fn above(&self, heads: &Heads) -> Result<Self, ModelError> {
        let mut above = self.clone();
        above
            .views
            .retain(|view, _| heads.towers.contains_key(view));
        for (view, rows) in &mut above.views {
            rows.features = heads.embed(*view, &rows.features)?;
        }
        Ok(above)
    }

    fn drop_people_without_pairs(&mut self) {
        let mut people = std::mem::take(&mut self.people);
        people.retain(|own| {
            own.iter().any(|left| {
                self.is_anchor(*left) && own.iter().any(|right| self.is_pair(*left, *right))
            })
        });
        let mut counts = vec![0.0; self.ids.len()];
        people
            .iter()
            .flatten()
            .for_each(|item| counts[*item as usize] += 1.0);
        let total: f64 = counts.iter().sum();
        self.shares = counts.into_iter().map(|n| n / total.max(1.0)).collect();
        self.people = people;
    }

    fn is_anchor(&self, item: u32) -> bool {
        self.anchors[item as usize]
    }

    /// Whether two items may be a pair.
    pub fn is_pair(&self, a: u32, b: u32) -> bool {
        let [own, other] = [a, b].map(|item| self.categories[item as usize]);
        a != b && (own.is_none() || own != other)
    }

    /// An item's share of all choices, 0 to 1.
    pub fn share(&self, item: u32) -> f64 {
        self.shares.get(item as usize).copied().unwrap_or_default()
    }

    /// What is known of items by who chose them.
    pub fn behavior(&self) -> &BehaviorFeatures {
        &self.behavior
    }

    /// People who have a pair.
    pub fn people(&self) -> &[Vec<u32>] {
        &self.people
    }

    /// The views there are of any item, with the features `[n, width]` of those that have it.
    ///
    /// # Errors
    /// A computation failed.
    pub fn features(&self) -> Result<Vec<(View, Tensor)>, ModelError> {
        let each = self.views.iter().map(|(view, rows)| {
            let have = (0..).zip(&rows.weights).filter(|(_, w)| **w > 0.0);
            let have: Vec<u32> = have.map(|(place, _)| place).collect();
            let features = rows
                .features
                .index_select(&Tensor::new(have, &Device::Cpu)?, 0)?;
            Ok((*view, features))
        });
        each.collect()
    }

    /// All features `[items, width]` of a view, zeros for items without it.
    pub fn rows(&self, view: View) -> Option<&Tensor> {
        self.views.get(&view).map(|rows| &rows.features)
    }

    /// The views an item has.
    pub fn views_of(&self, item: u32) -> impl Iterator<Item = View> {
        let has = move |(_, rows): &(&View, &Rows)| rows.weights[item as usize] > 0.0;
        self.views.iter().filter(has).map(|(view, _)| *view)
    }

    /// Pairs of an epoch, see [`CoPurchases::draw`].
    pub fn choices(&self) -> usize {
        let of = |own: &Vec<u32>| own.iter().filter(|item| self.is_anchor(**item)).count();
        self.people.iter().map(|own| of(own).min(MOST_EACH)).sum()
    }

    /// The pairs of an epoch in random order: each choice of a person with another of theirs.
    pub fn draw(&self, rng: &mut SmallRng) -> Vec<CoPurchase> {
        let mut pairs = Vec::new();
        for (person, own) in (0..).zip(&self.people) {
            let mut anchors: Vec<u32> =
                own.iter().copied().filter(|i| self.is_anchor(*i)).collect();
            anchors.shuffle(rng);
            for left in anchors.into_iter().take(MOST_EACH) {
                let others: Vec<u32> = own
                    .iter()
                    .copied()
                    .filter(|o| self.is_pair(left, *o))
                    .collect();
                if !others.is_empty() {
                    let right = others[rng.random_range(0..others.len())];
                    pairs.push(CoPurchase {
                        left,
                        right,
                        person,
                    });
                }
            }
        }
        pairs.shuffle(rng);
        pairs
    }

    /// Each item as an index has it: the normalised weighted mean of its views through `heads`, `[items, dim]`.
    ///
    /// # Errors
    /// The features do not fit the heads.
    pub fn fused(&self, heads: &Heads) -> Result<Tensor, ModelError> {
        let towers = self
            .views
            .iter()
            .filter(|(view, _)| heads.towers.contains_key(view));
        let seen = towers
            .map(|(view, rows)| Ok((heads.embed(*view, &rows.features)?, rows.weights.as_slice())));
        mean(seen.collect::<Result<_, ModelError>>()?)
    }

    /// The same in the shared space without heads; `None` where there is nothing in it.
    ///
    /// # Errors
    /// A computation failed.
    pub fn fused_untrained(&self) -> Result<Option<Tensor>, ModelError> {
        let seen = self
            .untrained
            .iter()
            .filter(|rows| rows.weights.iter().any(|w| *w > 0.0));
        let seen: Vec<_> = seen
            .map(|rows| (rows.features.clone(), rows.weights.as_slice()))
            .collect();
        (!seen.is_empty()).then(|| mean(seen)).transpose()
    }

    /// All that decides what is learned.
    pub fn hash_into(&self, hash: &mut blake3::Hasher) -> Result<(), ModelError> {
        for (view, rows) in &self.views {
            hash.update(view.name().as_bytes());
            for value in rows
                .features
                .flatten_all()?
                .to_vec1::<f32>()?
                .iter()
                .chain(&rows.weights)
            {
                hash.update(&value.to_le_bytes());
            }
        }
        hash.update(
            format!("{:?} {:?} {:?}", self.people, self.anchors, self.categories).as_bytes(),
        );
        Ok(())
    }
}

impl Rows {
    fn of(rows: impl Iterator<Item = Option<Weighted>>) -> Result<Self, TrainError> {
        let rows: Vec<_> = rows.collect();
        let width = rows
            .iter()
            .flatten()
            .map(|(_, row)| row.len())
            .next()
            .unwrap_or(1);
        let mut all = Vec::with_capacity(rows.len() * width);
        for row in &rows {
            match row {
                Some((_, row)) if row.len() == width => all.extend_from_slice(row),
                Some((_, row)) => {
                    let reason = format!(
                        "features of {} and of {width} numbers; they come from different encoders",
                        row.len()
                    );
                    return Err(TrainError::Features(reason));
                }
                None => all.extend(std::iter::repeat_n(0.0, width)),
            }
        }
        Ok(Self {
            features: Tensor::from_vec(all, (rows.len(), width), &Device::Cpu)?,
            weights: rows
                .iter()
                .map(|row| row.as_ref().map_or(0.0, |(weight, _)| *weight))
                .collect(),
        })
    }
}

/// Normalised weighted mean of rows.
fn mean(parts: Vec<(Tensor, &[f32])>) -> Result<Tensor, ModelError> {
    let mut sum: Option<Tensor> = None;
    for (vectors, weights) in parts {
        let weights = Tensor::from_slice(weights, (weights.len(), 1), &Device::Cpu)?;
        let part = vectors.broadcast_mul(&weights)?;
        sum = Some(match sum {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    let sum = sum.ok_or_else(|| ModelError::Compute("items without a view".to_owned()))?;
    crate::space::tower::unit(&sum)
}
