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
/// Holds three numbers an item, and 16 to 32 bytes a pair of items that has new users in common. Similarities are
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

    fn norm(&self, from: usize, to: usize) -> f32 {
        self.source[from] * self.target[to] + self.shrinkage
    }
}

impl LiveItemKnn {
    /// As fitted, with room for `items` items, at least those of the fit.
    ///
    /// # Errors
    /// A weighting other than [`Weighting::Plain`]: every event would change all that were counted.
    pub fn new(fitted: Arc<ItemKnn>, items: usize) -> Result<Self> {
        let options = *fitted.options();
        if options.weighting != Weighting::Plain {
            let detail = "only the plain weighting can count events as they come";
            return Err(Error::invalid("/weighting", detail));
        }
        let mut norms = fitted.norms.clone();
        norms.resize(items.max(norms.len()), 0.0);
        Ok(Self {
            fitted_powers: Powers::new(&norms, &options),
            powers: Powers::new(&norms, &options),
            norms,
            added: HashMap::new(),
            fitted,
        })
    }

    /// Counts an event of a user who had `before`, items with the weights that were counted so far.
    ///
    /// # Errors
    /// An unknown item, a weight that is not positive and finite.
    pub fn add(&mut self, before: &[(u32, f32)], item: u32, weight: f32) -> Result<()> {
        let (number, items) = (item as usize, self.items());
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
        let (sum, users) = self.added.entry(from).or_default().entry(to).or_default();
        *sum += product;
        *users += u32::from(new_user);
    }

    /// Calls `f` with each neighbour, its part of the similarity and its users; a neighbour may come twice.
    fn each_part(&self, item: usize, mut f: impl FnMut(u32, f32, u32)) {
        for neighbor in self.fitted.neighbors(item as u32) {
            let to = neighbor.item as usize;
            let change = self.fitted_powers.norm(item, to) / self.powers.norm(item, to);
            f(neighbor.item, neighbor.similarity * change, neighbor.users);
        }
        for (to, (product, users)) in self.added.get(&(item as u32)).into_iter().flatten() {
            f(*to, product / self.powers.norm(item, *to as usize), *users);
        }
    }

    /// Neighbours of an item, the nearest first; none of an unknown item.
    pub fn neighbors(&self, item: u32) -> Vec<ItemNeighbor> {
        if item as usize >= self.items() {
            return Vec::new();
        }
        let mut found: HashMap<u32, ItemNeighbor> = HashMap::new();
        self.each_part(item as usize, |to, part, users| {
            let neighbor = found.entry(to).or_insert(ItemNeighbor {
                item: to,
                similarity: 0.0,
                users: 0,
            });
            neighbor.similarity += part;
            neighbor.users += users;
        });
        nearest(
            found.into_values().collect(),
            self.fitted.options().neighbors,
        )
    }

    /// The items of a history that speak for `item`, the strongest first, each as the history's item with its part
    /// of the score.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let part = |(from, weight): (usize, f32)| {
            let (mut similarity, mut found) = (0.0, false);
            self.each_part(from, |to, part, _| {
                if to == item {
                    similarity += part;
                    found = true;
                }
            });
            found.then_some(Scored {
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
            self.each_part(item, |to, part, _| out[to as usize] += weight * part);
        }
    }
}
