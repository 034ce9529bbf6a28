//! Neighborhoods by domain: how much other domains count differs by the domain of the neighbor.

use super::{ItemKnn, ItemNeighbor, nearest};
use crate::cf::ItemDomains;

impl ItemKnn {
    /// Returns the neighborhoods in which neighbors of another domain than the item have their
    /// similarity times the weight of the neighbor's domain, and neighbors of a domain with a model
    /// of its own are those of this model. An item keeps the nearest neighbors of each domain, so
    /// that none loses some to the others.
    pub(in crate::cf) fn by_domain(
        &self,
        domains: &ItemDomains,
        weights: &[f32],
        alone: &[Option<&Self>],
    ) -> Self {
        let mut neighbors = Vec::with_capacity(self.neighbors.len());
        for (item, joint) in (0_u32..).zip(&self.neighbors) {
            let own = domains.of(item);
            let weigh = |neighbor: &ItemNeighbor| {
                let domain = domains.of(neighbor.item);
                let of_domain = domain.map_or(1.0, |domain| weights[domain as usize]);
                let weight = match domain == own {
                    true if of_domain > 0.0 => 1.0,
                    _ => of_domain,
                };
                ItemNeighbor {
                    similarity: weight * neighbor.similarity,
                    ..*neighbor
                }
            };
            let mut kept: Vec<_> = joint.iter().map(weigh).collect();
            kept.retain(|neighbor| neighbor.similarity != 0.0);
            if let Some(domain) = own
                && let Some(model) = alone[domain as usize]
            {
                let members = domains.members(domain);
                let local = members.binary_search(&item).unwrap_or(usize::MAX);
                let renumbered = |neighbor: &ItemNeighbor| ItemNeighbor {
                    item: members[neighbor.item as usize],
                    ..*neighbor
                };
                kept.extend(model.neighbors(local as u32).iter().map(renumbered));
            }
            neighbors.push(nearest(kept, usize::MAX));
        }
        Self {
            options: self.options,
            norms: self.norms.clone(),
            neighbors,
        }
    }
}
