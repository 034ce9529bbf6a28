//! Reads that need no vector search: by id, in the order of ids, counts.

use std::ops::Bound;

use roaring::RoaringBitmap;
use vitrine_schemas::{FacetsRequest, FacetsResponse, FilterSpec, Item};

use super::{Collection, State};
use crate::{Error, Result};

/// Fields counted in one request.
const MOST_FACETS: usize = 50;

impl State {
    /// Live numbers that match, hidden ones included.
    pub(super) fn matching(&self, filter: Option<&FilterSpec>) -> Result<RoaringBitmap> {
        match filter {
            None => Ok(self.live.clone()),
            Some(f) => self
                .payload
                .evaluate(f, &self.live, &|id| self.numbers.get(id).copied())
                .map_err(|e| e.under("/filter")),
        }
    }
}

impl Collection {
    /// One item.
    pub fn get(&self, id: &str, with_vectors: bool) -> Result<Item> {
        self.load(&self.state.read(), id, with_vectors)
    }

    /// Hash of the content the item's vectors were made from.
    pub fn content_hash(&self, id: &str) -> Result<Option<String>> {
        Ok(self.get(id, false)?.content_hash)
    }

    /// A page of items in the order of ids; the cursor is where the page before ended.
    pub fn scroll(
        &self,
        filter: Option<&FilterSpec>,
        limit: usize,
        cursor: Option<&str>,
        with_vectors: bool,
    ) -> Result<(Vec<Item>, Option<String>)> {
        check_limit(limit)?;
        let state = self.state.read();
        let matching = state.matching(filter)?;
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = state
            .numbers
            .range::<str, _>((from, Bound::Unbounded))
            .filter(|(_, n)| matching.contains(**n));
        let mut items = Vec::new();
        for (id, _) in rest.by_ref().take(limit) {
            items.push(self.load(&state, id, with_vectors)?);
        }
        let more = rest.next().is_some();
        let next = items.last().filter(|_| more).map(|i: &Item| i.id.clone());
        Ok((items, next))
    }

    /// Exact number of matching items, hidden ones included.
    pub fn count(&self, filter: Option<&FilterSpec>) -> Result<u64> {
        Ok(self.state.read().matching(filter)?.len())
    }

    /// Counts values among the matching items that are not hidden.
    pub fn facets(&self, request: &FacetsRequest) -> Result<FacetsResponse> {
        if !(1..=MOST_FACETS).contains(&request.facets.len()) {
            return Err(Error::invalid("/facets", "must name 1 to 50 fields"));
        }
        let state = self.state.read();
        let allowed = state.allowed(request.filter.as_ref())?;
        let facets = request.facets.iter().enumerate().map(|(at, spec)| {
            let facet = state.payload.facet(spec, allowed.numbers());
            facet.map_err(|e| e.under(&format!("/facets/{at}")))
        });
        Ok(FacetsResponse {
            matching: allowed.numbers().len(),
            facets: facets.collect::<Result<_>>()?,
        })
    }

    pub(super) fn load(&self, state: &State, id: &str, with_vectors: bool) -> Result<Item> {
        let missing = || Error::ItemNotFound(id.to_string());
        let number = *state.numbers.get(id).ok_or_else(missing)?;
        let mut item = match state.outgoing.get(id) {
            Some((_, item)) => item.clone(),
            None => self.store.item(self.id, id)?.ok_or_else(missing)?.1,
        };
        if with_vectors {
            for (space, index) in &state.spaces {
                if let Some(vector) = index.vector(number) {
                    item.vectors.insert(space.clone(), vector);
                }
            }
        }
        Ok(item)
    }
}

pub(super) fn check_limit(limit: usize) -> Result<()> {
    if (1..=1000).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("/limit", "must be 1 to 1000"))
}
