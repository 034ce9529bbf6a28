//! Item neighbourhoods that count events as they come.

use std::{collections::HashMap, sync::Arc};

use super::{ItemKnn, ItemKnnOptions, ItemNeighbor, Weighting, nearest};
use crate::{
    Error, Result,
    cf::{Recommender, Scored, known, rank},
};

/// An [`ItemKnn`] and what happened after it was fitted: new events change norms and co-occurrences, and items that
/// are new have neighbours from their second event on.
///
/// Holds five numbers an item, and 16 to 32 bytes a pair of items that has new users in common. Similarities are
/// those of a fit to all events, but that
/// - a neighbour that the fit cut off starts at 0 again;
/// - with a `user_power`, what a user said before an event keeps the share it had.
#[derive(Clone, Debug)]
pub struct LiveItemKnn {
    fitted: Arc<ItemKnn>,
    /// Squared norm of each item, as of the fit and now.
    fitted_powers: Powers,
    powers: Powers,
    norms: Vec<f32>,
    /// What was added to the product and the common users of a pair; both directions.
    added: HashMap<u32, HashMap<u32, (f32, u32)>>,
    /// Entries of `added`.
    pairs: usize,
}

/// By what similarities are divided.
#[derive(Clone, Debug)]
struct Powers {
    source: Vec<f32>,
    target: Vec<f32>,
    shrinkage: f32,
}

impl Powers {
    fn new(norms: &[f32], options: &ItemKnnOptions) -> Self {
        Self {
            source: options.sources(norms),
            target: options.targets(norms),
            shrinkage: options.shrinkage,
        }
    }

    fn resize(&mut self, items: usize) {
        self.source.resize(items, 0.0);
        self.target.resize(items, 0.0);
    }

    fn norm(&self, from: usize, to: usize) -> f32 {
        self.source[from] * self.target[to] + self.shrinkage
    }
}

impl LiveItemKnn {
    /// As fitted.
    pub fn new(fitted: Arc<ItemKnn>) -> Self {
        let norms = fitted.norms.clone();
        let powers = Powers::new(&norms, fitted.options());
        Self {
            fitted_powers: powers.clone(),
            powers,
            norms,
            added: HashMap::new(),
            pairs: 0,
            fitted,
        }
    }

    /// What it was at first.
    pub fn fitted(&self) -> &ItemKnn {
        &self.fitted
    }

    /// Makes room for `items` items, where there are fewer.
    pub fn grow(&mut self, items: usize) {
        if items > self.norms.len() {
            self.norms.resize(items, 0.0);
            self.fitted_powers.resize(items);
            self.powers.resize(items);
        }
    }

    /// Whether events can be counted: with another weighting than [`Weighting::Plain`] each would change all that were
    /// counted before.
    pub fn counts(&self) -> bool {
        self.fitted.options().weighting == Weighting::Plain
    }

    /// Pairs of items that events were counted for, in both directions.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Counts an event of a user who had `before`, items with the weights that were counted so far.
    ///
    /// # Errors
    /// An unknown item, a weight that is not positive and finite, a model that [cannot](Self::counts) count.
    pub fn add(&mut self, before: &[(u32, f32)], item: u32, weight: f32) -> Result<()> {
        let (number, items) = (item as usize, self.items());
        if !self.counts() {
            let detail = "only the plain weighting can count events as they come";
            return Err(Error::invalid("/weighting", detail));
        }
        if number >= items {
            let detail = format!("number {item} is out of range, there are {items}");
            return Err(Error::invalid("/item", detail));
        }
        if !(weight > 0.0 && weight.is_finite()) {
            let detail = format!("{weight} is no weight, give a positive finite number");
            return Err(Error::invalid("/weight", detail));
        }
        let options = *self.fitted.options();
        let mut before = known(before, items).fold(HashMap::new(), |mut had, (item, weight)| {
            *had.entry(item as u32).or_insert(0.0) += weight;
            had
        });
        let own = before.remove(&item);
        let mut others: Vec<_> = before.into_iter().filter(|h| h.1 > 0.0).collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        others.truncate(options.history - 1);
        let share = ((others.len() + 1) as f32).powf(-options.user_power);
        for (other, value) in others {
            self.add_pair(item, other, share * value * weight, own.is_none());
            self.add_pair(other, item, share * value * weight, own.is_none());
        }
        let own = own.unwrap_or(0.0);
        self.norms[number] += weight * (weight + 2.0 * own);
        let norm = &self.norms[number..=number];
        self.powers.source[number] = options.sources(norm)[0];
        self.powers.target[number] = options.targets(norm)[0];
        Ok(())
    }

    fn add_pair(&mut self, from: u32, to: u32, product: f32, new_user: bool) {
        let of_item = self.added.entry(from).or_default();
        let before = of_item.len();
        let (sum, users) = of_item.entry(to).or_default();
        *sum += product;
        *users += u32::from(new_user);
        self.pairs += of_item.len() - before;
    }

    /// Calls `f` with each neighbour of an item, its part of the similarity and its users. A neighbour may come twice,
    /// so this is for sums; it costs less than [`LiveItemKnn::each_neighbor`].
    pub fn each_part(&self, item: u32, mut f: impl FnMut(u32, f32, u32)) {
        let from = item as usize;
        if from >= self.items() {
            return;
        }
        for neighbor in self.fitted.neighbors(item) {
            f(neighbor.item, self.now(from, neighbor), neighbor.users);
        }
        for (to, (product, users)) in self.added.get(&item).into_iter().flatten() {
            f(*to, self.counted(from, *to, *product), *users);
        }
    }

    /// What a similarity of the fit has become.
    fn now(&self, from: usize, neighbor: &ItemNeighbor) -> f32 {
        let to = neighbor.item as usize;
        neighbor.similarity * self.fitted_powers.norm(from, to) / self.powers.norm(from, to)
    }

    /// What a product that was counted adds to the similarity.
    fn counted(&self, from: usize, to: u32, product: f32) -> f32 {
        let norm = self.powers.norm(from, to as usize);
        // An item that was never counted itself has no norm.
        if norm > 0.0 { product / norm } else { 0.0 }
    }

    /// Calls `f` with each neighbour of an item, in any order; with none of an unknown item.
    pub fn each_neighbor(&self, item: u32, mut f: impl FnMut(ItemNeighbor)) {
        if !self.added.contains_key(&item) {
            return self.each_part(item, |item, similarity, users| {
                f(ItemNeighbor {
                    item,
                    similarity,
                    users,
                });
            });
        }
        let mut found: HashMap<u32, ItemNeighbor> = HashMap::new();
        self.each_part(item, |to, part, users| {
            let neighbor = found.entry(to).or_insert(ItemNeighbor {
                item: to,
                similarity: 0.0,
                users: 0,
            });
            neighbor.similarity += part;
            neighbor.users += users;
        });
        found.into_values().for_each(f);
    }

    /// Neighbours of an item, the nearest first; none of an unknown item.
    pub fn neighbors(&self, item: u32) -> Vec<ItemNeighbor> {
        let mut found = Vec::new();
        self.each_neighbor(item, |neighbor| found.push(neighbor));
        nearest(found, self.fitted.options().neighbors)
    }

    /// The items of a history that speak for `item`, the strongest first, each as the history's item with its part
    /// of the score.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let part = |(from, weight): (usize, f32)| {
            let mut fitted = self.fitted.neighbors(from as u32).iter();
            let fitted = fitted.find(|n| n.item == item);
            let added = self.added.get(&(from as u32)).and_then(|a| a.get(&item));
            let parts = [
                fitted.map(|neighbor| self.now(from, neighbor)),
                added.map(|(product, _)| self.counted(from, item, *product)),
            ];
            let similarity = parts.into_iter().flatten().reduce(|a, b| a + b)?;
            Some(Scored {
                item: from as u32,
                score: weight * similarity,
            })
        };
        let mut parts: Vec<_> = known(history, self.items()).filter_map(part).collect();
        parts.sort_by(rank::order);
        parts
    }
}

impl Recommender for LiveItemKnn {
    fn items(&self) -> usize {
        self.norms.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.items(), 0.0);
        for (item, weight) in known(history, self.items()) {
            self.each_part(item as u32, |to, part, _| out[to as usize] += weight * part);
        }
    }
}
