//! Domains of items: categories, markets or shops.

use serde::{Deserialize, Serialize};

use super::Matrix;
use crate::{Error, Result};

/// The domain of each item, and the items of each domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemDomains {
    of_item: Vec<u32>,
    /// Index of each item among those of its domain.
    local: Vec<u32>,
    /// Items of each domain, ascending.
    members: Vec<Vec<u32>>,
}

impl ItemDomains {
    /// Creates the domains from that of each item, numbered from 0.
    ///
    /// # Errors
    /// A domain that is not below the number of items.
    pub fn new(of_item: Vec<u32>) -> Result<Self> {
        let mut members: Vec<Vec<u32>> = Vec::new();
        let mut local = Vec::with_capacity(of_item.len());
        for (item, domain) in (0_u32..).zip(&of_item) {
            let number = *domain as usize;
            if number >= of_item.len() {
                let detail = format!("expected numbers below {}, got {domain}", of_item.len());
                return Err(Error::invalid("/domains", detail));
            }
            if members.len() <= number {
                members.resize(number + 1, Vec::new());
            }
            local.push(members[number].len() as u32);
            members[number].push(item);
        }
        Ok(Self {
            of_item,
            local,
            members,
        })
    }

    /// Returns true if the fields of deserialized domains are consistent.
    pub(super) fn is_consistent(&self) -> bool {
        Self::new(self.of_item.clone()).is_ok_and(|domains| domains == *self)
    }

    /// Returns the number of items.
    pub fn items(&self) -> usize {
        self.of_item.len()
    }

    /// Returns the number of domains.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Returns the domain of an item; None if it is unknown.
    pub fn of(&self, item: u32) -> Option<u32> {
        self.of_item.get(item as usize).copied()
    }

    /// Returns the items of a domain, ascending.
    pub fn members(&self, domain: u32) -> &[u32] {
        self.members.get(domain as usize).map_or(&[], Vec::as_slice)
    }

    /// Returns a history with the items of the target alone, renumbered among these.
    pub(super) fn within(&self, target: u32, history: &[(u32, f32)]) -> Vec<(u32, f32)> {
        let own = history
            .iter()
            .filter(|(item, _)| self.of(*item) == Some(target));
        own.map(|(item, weight)| (self.local[*item as usize], *weight))
            .collect()
    }

    /// Returns a history in which items of other domains than the target have `factor` times their
    /// weight.
    pub(super) fn weighted(
        &self,
        target: u32,
        history: &[(u32, f32)],
        factor: f32,
    ) -> Vec<(u32, f32)> {
        let weight = |(item, weight): &(u32, f32)| match self.of(*item) == Some(target) {
            true => (*item, *weight),
            false => (*item, factor * weight),
        };
        history.iter().map(weight).collect()
    }

    /// Returns users x items of the target, renumbered among these.
    ///
    /// # Errors
    /// None for a matrix of these items.
    pub(super) fn matrix_within(&self, target: u32, interactions: &Matrix) -> Result<Matrix> {
        let rows = (0_u32..).zip(interactions.iter());
        let triples = rows.flat_map(|(user, row)| {
            let own = row
                .iter()
                .filter(|(i, _)| self.of(*i as u32) == Some(target));
            own.map(move |(item, weight)| (user, self.local[item], weight))
        });
        Matrix::from_triples(interactions.rows(), self.members(target).len(), triples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_own_numbers() {
        let domains = ItemDomains::new(vec![1, 0, 1, 1]).expect("valid");
        assert_eq!((domains.count(), domains.items()), (2, 4));
        assert_eq!(domains.members(1), [0, 2, 3]);
        assert!(domains.members(7).is_empty() && domains.of(4).is_none());
        let history = [(3, 2.0), (1, 1.0), (9, 1.0)];
        assert_eq!(domains.within(1, &history), [(2, 2.0)]);
        let halved = domains.weighted(1, &history, 0.5);
        assert_eq!(halved, [(3, 2.0), (1, 0.5), (9, 0.5)]);
        let matrix = Matrix::from_triples(2, 4, [(0, 1, 1.0), (1, 2, 3.0), (1, 3, 1.0)]);
        let own = domains
            .matrix_within(1, &matrix.expect("valid"))
            .expect("valid");
        let expected = Matrix::from_triples(2, 3, [(1, 1, 3.0), (1, 2, 1.0)]);
        assert_eq!(own, expected.expect("valid"));
    }

    #[test]
    fn numbers_out_of_range_are_rejected() {
        assert!(ItemDomains::new(vec![0, 2]).is_err());
        let mut damaged = ItemDomains::new(vec![0, 1]).expect("valid");
        damaged.local[1] = 5;
        assert!(!damaged.is_consistent());
    }
}
