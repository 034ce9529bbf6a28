//! Private collections: releases, the catalog that they count in, and the ledger.

use std::collections::BTreeMap;

use vitrine_schemas::{LedgerParams, ModelInfo, PrivacyLedger};

use crate::{
    Result, Training,
    behavior::PublicCatalog,
    collection::{Collection, state::read::check_limit},
};

impl Collection {
    /// Releases what the budgets allow now.
    ///
    /// # Errors
    /// They allow nothing, or a model of item pairs is asked for.
    pub(in crate::collection) fn release(&self, training: &Training) -> Result<ModelInfo> {
        let wants_model = training.model.is_some() || training.network.is_some();
        if wants_model || !training.parameters.is_empty() {
            self.behavior.refuse_pairs_if_private()?;
        }
        self.behavior.release_now(|| self.public_catalog())
    }

    /// Returns what a private collection released, and what is left of its budgets.
    ///
    /// # Errors
    /// The collection is not private, or the limit is out of range.
    pub fn privacy_ledger(&self, params: &LedgerParams) -> Result<PrivacyLedger> {
        check_limit(params.limit)?;
        self.behavior.privacy_ledger(params)
    }

    /// Returns the items and their categories, which are public.
    pub(in crate::collection) fn public_catalog(&self) -> PublicCatalog {
        let state = self.state.read();
        let by_id: BTreeMap<&String, u32> = state
            .internal_ids
            .iter()
            .map(|(id, item)| (id, *item))
            .collect();
        let (categories, category_of) = state.numbered_categories();
        PublicCatalog {
            category_of: by_id
                .values()
                .map(|item| category_of.get(item).copied())
                .collect(),
            ids: by_id.into_keys().cloned().collect(),
            categories,
        }
    }
}
