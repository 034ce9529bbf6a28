//! Co-purchases as training data: the features of each item by modality, and the items that each
//! user chose.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};

use super::{ItemFeatures, TrainError};
use crate::encode::ModelError;
use crate::space::heads::{BehaviorFeatures, Heads, Modality};

/// Maximum pairs of a user in an epoch: commercial buyers must not dominate the training.
const MAX_PAIRS_PER_USER: usize = 32;

/// Items and the choices of users among them.
///
/// Two items are a pair if one user chose both and they are of different categories; an item
/// without a category can be a pair with any other.
#[derive(Clone)]
pub struct CoPurchases {
    /// Item ids; other fields use their index.
    pub ids: Vec<String>,
    modalities: BTreeMap<Modality, Rows>,
    /// Texts and images in the shared space without heads.
    untrained: [Rows; 2],
    /// Category numbers; `None` for items without a category.
    categories: Vec<Option<u32>>,
    behavior: Arc<BehaviorFeatures>,
    /// Items of each user who has a pair.
    users: Vec<Vec<u32>>,
    /// Share of each item in all choices.
    shares: Vec<f64>,
    /// Anchor items of the training pairs: those that may be on the left.
    anchors: Vec<bool>,
}

/// Weight of a modality of an item, and its features.
type Weighted = (f32, Vec<f32>);

/// Features of one modality, one row for each item, with zeros for items without it.
#[derive(Clone)]
struct Rows {
    features: Tensor,
    weights: Vec<f32>,
}

/// Two items that a user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoPurchase {
    /// Index of the anchor item.
    pub left: u32,
    /// Index of the other item, of another category.
    pub right: u32,
    /// Index of the user.
    pub user: u32,
}

impl CoPurchases {
    /// Returns the co-purchases of items with at least one modality. `choices` holds the item ids
    /// of each user; ids that are not among `items` are skipped. `behavior` may be empty.
    ///
    /// # Errors
    /// Features of one modality differ in length.
    pub fn of(
        items: &[ItemFeatures],
        behavior: &Arc<BehaviorFeatures>,
        choices: &[Vec<String>],
    ) -> Result<Self, TrainError> {
        let has_any = |item: &&ItemFeatures| {
            item.text.is_some() || item.image.is_some() || behavior.get(&item.id).is_some()
        };
        let items: Vec<&ItemFeatures> = items.iter().filter(has_any).collect();
        let mut modalities = BTreeMap::new();
        let mut add = |modality: Modality, rows: Rows| {
            if rows.weights.iter().any(|w| *w > 0.0) {
                modalities.insert(modality, rows);
            }
        };
        let each = |of: &dyn Fn(&ItemFeatures) -> Option<Weighted>| {
            Rows::of(items.iter().map(|item| of(item)))
        };
        add(Modality::Text, each(&|v| Some((1.0, v.text.clone()?)))?);
        add(Modality::Image, each(&|v| Some((1.0, v.image.clone()?)))?);
        add(
            Modality::Behavior,
            each(&|v| behavior.get(&v.id).map(|(w, f)| (w, f.to_vec())))?,
        );
        let untrained = [
            each(&|v| Some((1.0, v.untrained[0].clone()?)))?,
            each(&|v| Some((1.0, v.untrained[1].clone()?)))?,
        ];
        let mut numbers = HashMap::new();
        let categories = items.iter().map(|item| {
            let next = numbers.len() as u32;
            let category = item.category.as_str();
            (!category.is_empty()).then(|| *numbers.entry(category).or_insert(next))
        });
        let categories = categories.collect();
        let all = Self {
            ids: items.iter().map(|v| v.id.clone()).collect(),
            modalities,
            untrained,
            categories,
            behavior: behavior.clone(),
            users: Vec::new(),
            shares: Vec::new(),
            anchors: vec![true; items.len()],
        };
        Ok(all.with_choices(choices))
    }

    /// Returns the same items with other choices.
    #[must_use]
    pub fn with_choices(&self, choices: &[Vec<String>]) -> Self {
        let index_of: HashMap<&str, u32> = self.ids.iter().map(String::as_str).zip(0..).collect();
        let users = choices.iter().map(|ids| {
            let known = ids.iter().filter_map(|id| index_of.get(id.as_str()));
            let mut items: Vec<u32> = known.copied().collect();
            items.sort_unstable();
            items.dedup();
            items
        });
        let mut all = self.clone();
        all.users = users.collect();
        all.drop_users_without_pairs();
        all
    }

    /// Restricts the pairs to those with an item of `anchors` on the left and no item of
    /// `excluded`.
    #[must_use]
    pub fn restricted(
        mut self,
        anchors: impl Fn(&str) -> bool,
        excluded: impl Fn(&str) -> bool,
    ) -> Self {
        self.anchors = self.ids.iter().map(|id| anchors(id)).collect();
        let excluded: Vec<bool> = self.ids.iter().map(|id| excluded(id)).collect();
        for items in &mut self.users {
            items.retain(|item| !excluded[*item as usize]);
        }
        self.drop_users_without_pairs();
        self
    }

    /// Returns the same items with their features embedded by the towers of `heads`: the input of a
    /// feature transfer.
    ///
    /// # Errors
    /// The features do not fit the towers.
    pub fn embedded(&self, heads: &Heads) -> Result<Self, ModelError> {
        let mut embedded = self.clone();
        embedded
            .modalities
            .retain(|modality, _| heads.towers.contains_key(modality));
        for (modality, rows) in &mut embedded.modalities {
            rows.features = heads.embed(*modality, &rows.features)?;
        }
        Ok(embedded)
    }

    fn drop_users_without_pairs(&mut self) {
        let mut users = std::mem::take(&mut self.users);
        users.retain(|items| {
            items.iter().any(|left| {
                self.is_anchor(*left) && items.iter().any(|right| self.is_pair(*left, *right))
            })
        });
        let mut counts = vec![0.0; self.ids.len()];
        users
            .iter()
            .flatten()
            .for_each(|item| counts[*item as usize] += 1.0);
        let total: f64 = counts.iter().sum();
        self.shares = counts.into_iter().map(|n| n / total.max(1.0)).collect();
        self.users = users;
    }

    fn is_anchor(&self, item: u32) -> bool {
        self.anchors[item as usize]
    }

    /// Returns true if two items can be a pair.
    pub fn is_pair(&self, a: u32, b: u32) -> bool {
        let [left, right] = [a, b].map(|item| self.categories[item as usize]);
        a != b && (left.is_none() || left != right)
    }

    /// Returns an item's share of all choices, 0 to 1.
    pub fn share(&self, item: u32) -> f64 {
        self.shares.get(item as usize).copied().unwrap_or_default()
    }

    /// Behavior features of the items.
    pub fn behavior(&self) -> &BehaviorFeatures {
        &self.behavior
    }

    /// Items of each user who has a pair.
    pub fn users(&self) -> &[Vec<u32>] {
        &self.users
    }

    /// Returns the modalities of the items, each with the features `[n, width]` of the items that
    /// have it.
    ///
    /// # Errors
    /// A computation failed.
    pub fn features(&self) -> Result<Vec<(Modality, Tensor)>, ModelError> {
        let each = self.modalities.iter().map(|(modality, rows)| {
            let present = (0..).zip(&rows.weights).filter(|(_, w)| **w > 0.0);
            let present: Vec<u32> = present.map(|(row, _)| row).collect();
            let features = rows
                .features
                .index_select(&Tensor::new(present, &Device::Cpu)?, 0)?;
            Ok((*modality, features))
        });
        each.collect()
    }

    /// Returns the features `[items, width]` of a modality, with zeros for items without it.
    pub fn rows(&self, modality: Modality) -> Option<&Tensor> {
        self.modalities.get(&modality).map(|rows| &rows.features)
    }

    /// Returns the modalities of an item.
    pub fn modalities_of(&self, item: u32) -> impl Iterator<Item = Modality> {
        let has = move |(_, rows): &(&Modality, &Rows)| rows.weights[item as usize] > 0.0;
        let present = self.modalities.iter().filter(has);
        present.map(|(modality, _)| *modality)
    }

    /// Number of pairs of an epoch, see [`CoPurchases::draw`].
    pub fn pairs_per_epoch(&self) -> usize {
        let anchors = |items: &Vec<u32>| items.iter().filter(|i| self.is_anchor(**i)).count();
        let pairs = self.users.iter().map(anchors);
        pairs.map(|n| n.min(MAX_PAIRS_PER_USER)).sum()
    }

    /// Draws the pairs of an epoch in random order: each choice of a user with another one of
    /// theirs.
    pub fn draw(&self, rng: &mut SmallRng) -> Vec<CoPurchase> {
        let mut pairs = Vec::new();
        for (user, items) in (0..).zip(&self.users) {
            let anchors = items.iter().copied().filter(|i| self.is_anchor(*i));
            let mut anchors: Vec<u32> = anchors.collect();
            anchors.shuffle(rng);
            for left in anchors.into_iter().take(MAX_PAIRS_PER_USER) {
                let others = items.iter().copied().filter(|i| self.is_pair(left, *i));
                let others: Vec<u32> = others.collect();
                if !others.is_empty() {
                    let right = others[rng.random_range(0..others.len())];
                    pairs.push(CoPurchase { left, right, user });
                }
            }
        }
        pairs.shuffle(rng);
        pairs
    }

    /// Returns each item's vector as in an index, `[items, dim]`: the normalized weighted mean of
    /// its modalities through `heads`.
    ///
    /// # Errors
    /// The features do not fit the heads.
    pub fn fused(&self, heads: &Heads) -> Result<Tensor, ModelError> {
        let with_tower = self
            .modalities
            .iter()
            .filter(|(modality, _)| heads.towers.contains_key(modality));
        let vectors = with_tower.map(|(modality, rows)| {
            let vectors = heads.embed(*modality, &rows.features)?;
            Ok((vectors, rows.weights.as_slice()))
        });
        mean(vectors.collect::<Result<_, ModelError>>()?)
    }

    /// [`CoPurchases::fused`] in the shared space without heads; `None` if no item has a vector
    /// there.
    ///
    /// # Errors
    /// A computation failed.
    pub fn fused_untrained(&self) -> Result<Option<Tensor>, ModelError> {
        let present = self
            .untrained
            .iter()
            .filter(|rows| rows.weights.iter().any(|w| *w > 0.0));
        let vectors: Vec<_> = present
            .map(|rows| (rows.features.clone(), rows.weights.as_slice()))
            .collect();
        (!vectors.is_empty()).then(|| mean(vectors)).transpose()
    }

    /// Hashes everything that decides the training.
    ///
    /// # Errors
    /// A tensor cannot be read.
    pub fn hash_into(&self, hash: &mut blake3::Hasher) -> Result<(), ModelError> {
        for (modality, rows) in &self.modalities {
            hash.update(modality.name().as_bytes());
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
            format!("{:?} {:?} {:?}", self.users, self.anchors, self.categories).as_bytes(),
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
                        "expected {width} features, got {}: they come from different encoders",
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

/// Returns the normalized weighted mean of rows, over pairs of vectors `[n, dim]` and weights
/// `[n]`.
fn mean(modalities: Vec<(Tensor, &[f32])>) -> Result<Tensor, ModelError> {
    let mut sum: Option<Tensor> = None;
    for (vectors, weights) in modalities {
        let weights = Tensor::from_slice(weights, (weights.len(), 1), &Device::Cpu)?;
        let weighted = vectors.broadcast_mul(&weights)?;
        sum = Some(match sum {
            Some(sum) => (sum + weighted)?,
            None => weighted,
        });
    }
    let sum = sum.ok_or_else(|| ModelError::Compute("items without a modality".to_owned()))?;
    crate::space::tower::unit(&sum)
}
