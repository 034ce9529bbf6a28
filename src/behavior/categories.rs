//! Top-level categories of the items of a log, and how much they count for each other.

use std::collections::HashMap;

use vitrine_schemas::CategoryTransfer;

use crate::{
    Result,
    cf::{ItemDomains, TransferEstimate},
};

/// The domains of a collection: its top-level categories, and the items without a category.
pub(crate) struct Categories {
    /// Category of each domain; empty without one.
    names: Vec<String>,
    pub domains: ItemDomains,
}

impl Categories {
    /// Creates the domains from the top-level category of each item of a log, empty without one.
    ///
    /// # Errors
    /// None: domains are numbered here.
    pub fn new(of_item: Vec<String>) -> Result<Self> {
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let domain = |name: String| -> u32 {
            *numbers.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                names.len() as u32 - 1
            })
        };
        let of_item = of_item.into_iter().map(domain).collect();
        Ok(Self {
            domains: ItemDomains::new(of_item)?,
            names,
        })
    }

    /// Returns true if there is no other category that could count.
    pub fn is_single(&self) -> bool {
        self.domains.count() < 2
    }

    /// Returns the weight of the others for each domain, as chosen at a training; None if all are
    /// 1.
    pub fn weights(&self, transfers: &[CategoryTransfer]) -> Option<Vec<f32>> {
        let weight = |name: &String| {
            let chosen = transfers.iter().find(|t| t.category == *name);
            chosen.map_or(1.0, |transfer| transfer.weight)
        };
        let weights: Vec<f32> = self.names.iter().map(weight).collect();
        weights
            .iter()
            .any(|weight| *weight != 1.0)
            .then_some(weights)
    }

    /// Returns estimates by category.
    pub fn transfers(&self, estimates: &[TransferEstimate]) -> Vec<CategoryTransfer> {
        let transfer = |estimate: &TransferEstimate| CategoryTransfer {
            category: self.names[estimate.target as usize].clone(),
            weight: estimate.weight,
            gain: estimate.gain.mean,
            gain_low: estimate.gain.low,
            gain_high: estimate.gain.high,
            people: estimate.users as u64,
        };
        estimates.iter().map(transfer).collect()
    }
}
