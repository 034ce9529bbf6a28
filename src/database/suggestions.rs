//! Suggestions of a collection, built from its records and its search log.

use std::time::Instant;

use vitrine_schemas::{SuggestParams, SuggestResponse};

use crate::{
    Collection, Error, Result,
    behavior::Purposes,
    events::rfc3339,
    suggest::{CatalogCounts, SourceVersion},
};

/// Age up to which searches make a query popular, in microseconds.
const POPULAR_RANGE: i64 = 30 * 86_400 * 1_000_000;

/// Maximum number of popular queries.
const MAX_QUERIES: usize = 20_000;

impl Collection {
    /// Completes a text that is being typed: popular queries, categories, brands and phrases of
    /// titles, best first. They are those of the last build in the background; an entry with up to
    /// four items is left out as soon as none of these can be shown.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into the parameters.
    pub fn suggest(&self, params: &SuggestParams) -> Result<SuggestResponse> {
        self.suggestions()
            .complete(params, |id| self.shows_item(id))
    }

    /// Takes over the suggestions of an earlier copy of this collection.
    pub(crate) fn inherit_suggestions(&self, earlier: &Self) {
        self.suggestions().inherit(earlier.suggestions());
    }

    /// Builds the suggestions now, if items or searches have changed since the last build.
    ///
    /// # Errors
    /// The store failed.
    pub fn build_suggestions(&self) -> Result<()> {
        let started = Instant::now();
        let version = self.suggestion_sources()?;
        let (mut catalog, quarantined) = (CatalogCounts::default(), self.quarantined());
        self.store().scan_items(self.id(), |_, item| {
            // A quarantined item is not found, and its category may have any number of levels.
            if !quarantined.contains_key(&item.id) {
                catalog.add(&item);
            }
            if self.closing() {
                Err(Error::Cancelled)
            } else {
                Ok(())
            }
        })?;
        let now = self.now();
        let range = now.saturating_sub(POPULAR_RANGE)..now.saturating_add(1);
        let min_users = version.config.min_users as usize;
        // Queries of others are not released from a private collection.
        let queries = match self.config().privacy.is_some() {
            true => Vec::new(),
            false => {
                let is_permitted = self.is_permitted(Purposes::TRAINING_ON_SEARCHES);
                self.search_log()
                    .popular(range, &is_permitted, min_users, MAX_QUERIES)?
            }
        };
        let built_at = rfc3339(now);
        self.suggestions()
            .build(version, catalog, queries, started, built_at)
    }

    /// Builds the suggestions if they are due; returns false, since there is a pause after a build.
    pub(crate) fn maintain_suggestions(&self) -> Result<bool> {
        let version = self.suggestion_sources()?;
        if self.suggestions().is_due(&version) {
            self.build_suggestions()?;
        }
        Ok(false)
    }

    fn suggestion_sources(&self) -> Result<SourceVersion> {
        let log = self.search_log_info();
        Ok(SourceVersion {
            writes: self.store().writes(self.id())?,
            searches: [log.recorded, log.stored],
            consents: self.consent_changes(),
            config: self.config().suggest.clone(),
        })
    }
}
