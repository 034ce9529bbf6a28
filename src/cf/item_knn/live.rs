//! Item neighborhoods that count events as they arrive.

use std::{collections::HashMap, sync::Arc};

use super::{ItemKnn, ItemKnnOptions, ItemNeighbor, Weighting, nearest};
use crate::{
    Error, Result,
    cf::{Recommender, Scored, known_items, rank},
};

/// An [`ItemKnn`] updated with the events after its fit: they change norms and co-occurrences, and
/// new items have neighbors from their second event on.
///
/// Holds five numbers per item, and 16 to 32 bytes per pair of items with new common users.
/// Similarities are those of a fit to all events, except that
/// - a neighbor that the fit cut off starts at 0 again;
/// - with a `user_power`, earlier events of a user keep the weight that the user had then.
#[derive(Clone, Debug)]
pub struct LiveItemKnn {
    fitted: Arc<ItemKnn>,
    /// Squared norm of each item, as of the fit and now.
    fitted_powers: Powers,
    powers: Powers,
    norms: Vec<f32>,
    /// Additions to the product and the common users of each pair, in both directions.
    added: HashMap<u32, HashMap<u32, (f32, u32)>>,
    /// Number of pairs in `added`.
    pairs: usize,
}

/// Divisors of similarities.
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
    /// Starts from a fitted model.
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

    /// Returns the fitted model without later events.
    pub fn fitted(&self) -> &ItemKnn {
        &self.fitted
    }

    /// Returns the squared norm of an item: of plain counts, the number of its users.
    pub fn norm(&self, item: u32) -> f32 {
        self.norms.get(item as usize).copied().unwrap_or(0.0)
    }

    /// Extends the model to `items` items, if there are fewer.
    pub fn grow(&mut self, items: usize) {
        if items > self.norms.len() {
            self.norms.resize(items, 0.0);
            self.fitted_powers.resize(items);
            self.powers.resize(items);
        }
    }

    /// Returns true if events can be counted: with a weighting other than [`Weighting::Plain`],
    /// each would change all earlier ones.
    pub fn counts_events(&self) -> bool {
        self.fitted.options().weighting == Weighting::Plain
    }

    /// Returns the number of pairs of items with counted events, in both directions.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Counts an event of a user; `before` are the earlier items of the user, with the weights
    /// counted so far.
    ///
    /// # Errors
    /// An unknown item, a weight that is not positive and finite, or a model that
    /// [cannot](Self::counts_events) count.
    pub fn add(&mut self, before: &[(u32, f32)], item: u32, weight: f32) -> Result<()> {
        self.count(before, item, weight, true)
    }

    /// Counts an event of a session of a user, after that of the user: the common users stay the
    /// same.
    ///
    /// # Errors
    /// As [`LiveItemKnn::add`].
    pub fn add_session(&mut self, before: &[(u32, f32)], item: u32, weight: f32) -> Result<()> {
        self.count(before, item, weight, false)
    }

    fn count(
        &mut self,
        before: &[(u32, f32)],
        item: u32,
        weight: f32,
        is_user: bool,
    ) -> Result<()> {
        let (number, items) = (item as usize, self.items());
        if !self.counts_events() {
            let detail = "only the plain weighting supports counting events";
            return Err(Error::invalid("/weighting", detail));
        }
        if number >= items {
            let detail = format!("expected a number below {items}, got {item}");
            return Err(Error::invalid("/item", detail));
        }
        if !(weight > 0.0 && weight.is_finite()) {
            let detail = format!("expected a positive finite weight, got {weight}");
            return Err(Error::invalid("/weight", detail));
        }
        let options = *self.fitted.options();
        let mut before =
            known_items(before, items).fold(HashMap::new(), |mut had, (item, weight)| {
                *had.entry(item as u32).or_insert(0.0) += weight;
                had
            });
        let previous = before.remove(&item);
        let mut others: Vec<_> = before.into_iter().filter(|h| h.1 > 0.0).collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        others.truncate(options.history - 1);
        let share = ((others.len() + 1) as f32).powf(-options.user_power);
        let is_new_user = is_user && previous.is_none();
        for (other, value) in others {
            self.add_pair(item, other, share * value * weight, is_new_user);
            self.add_pair(other, item, share * value * weight, is_new_user);
        }
        let previous = previous.unwrap_or(0.0);
        self.norms[number] += weight * (weight + 2.0 * previous);
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

    /// Calls `f` with each neighbor of an item, a term of its similarity and of its users. A
    /// neighbor may occur twice, so this is for sums; it costs less than
    /// [`LiveItemKnn::for_each_neighbor`].
    pub fn for_each_term(&self, item: u32, mut f: impl FnMut(u32, f32, u32)) {
        let from = item as usize;
        if from >= self.items() {
            return;
        }
        for neighbor in self.fitted.neighbors(item) {
            f(neighbor.item, self.rescaled(from, neighbor), neighbor.users);
        }
        for (to, (product, users)) in self.added.get(&item).into_iter().flatten() {
            f(*to, self.added_similarity(from, *to, *product), *users);
        }
    }

    /// Returns a similarity of the fit, normalized by the current norms.
    fn rescaled(&self, from: usize, neighbor: &ItemNeighbor) -> f32 {
        let to = neighbor.item as usize;
        neighbor.similarity * self.fitted_powers.norm(from, to) / self.powers.norm(from, to)
    }

    /// Returns the addition of a counted product to the similarity.
    fn added_similarity(&self, from: usize, to: u32, product: f32) -> f32 {
        let norm = self.powers.norm(from, to as usize);
        // An item without counted events has norm 0.
        if norm > 0.0 { product / norm } else { 0.0 }
    }

    /// Calls `f` with each neighbor of an item, in any order; not at all for an unknown item.
    pub fn for_each_neighbor(&self, item: u32, mut f: impl FnMut(ItemNeighbor)) {
        if !self.added.contains_key(&item) {
            return self.for_each_term(item, |item, similarity, users| {
                f(ItemNeighbor {
                    item,
                    similarity,
                    users,
                });
            });
        }
        let mut neighbors: HashMap<u32, ItemNeighbor> = HashMap::new();
        self.for_each_term(item, |to, term, users| {
            let neighbor = neighbors.entry(to).or_insert(ItemNeighbor {
                item: to,
                similarity: 0.0,
                users: 0,
            });
            neighbor.similarity += term;
            neighbor.users += users;
        });
        neighbors.into_values().for_each(f);
    }

    /// Returns the neighbors of an item, the nearest first; empty for an unknown item.
    pub fn neighbors(&self, item: u32) -> Vec<ItemNeighbor> {
        let mut neighbors = Vec::new();
        self.for_each_neighbor(item, |neighbor| neighbors.push(neighbor));
        nearest(neighbors, self.fitted.options().neighbors)
    }

    /// Returns the items of a history that contribute to the score of `item`, the strongest first,
    /// each with its contribution.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let contribution = |(from, weight): (usize, f32)| {
            let mut fitted = self.fitted.neighbors(from as u32).iter();
            let fitted = fitted.find(|n| n.item == item);
            let added = self.added.get(&(from as u32)).and_then(|a| a.get(&item));
            let terms = [
                fitted.map(|neighbor| self.rescaled(from, neighbor)),
                added.map(|(product, _)| self.added_similarity(from, item, *product)),
            ];
            let similarity = terms.into_iter().flatten().reduce(|a, b| a + b)?;
            Some(Scored {
                item: from as u32,
                score: weight * similarity,
            })
        };
        let history = known_items(history, self.items());
        let mut reasons: Vec<_> = history.filter_map(contribution).collect();
        reasons.sort_by(rank::order);
        reasons
    }
}

impl Recommender for LiveItemKnn {
    fn items(&self) -> usize {
        self.norms.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.items(), 0.0);
        for (item, weight) in known_items(history, self.items()) {
            self.for_each_term(item as u32, |to, term, _| out[to as usize] += weight * term);
        }
    }
}
