//! Reads that need no vector search: by id, in the order of ids, counts.

use std::ops::Bound;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Condition, Event, Facet, FacetSpec, FacetsRequest, FacetsResponse, Filter, FilterSpec, Item,
    Match, Scalar, filter::MatchCondition,
};

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

    /// Counts of the values of 1 to 50 fields among some items.
    pub(super) fn facets(&self, specs: &[FacetSpec], among: &RoaringBitmap) -> Result<Vec<Facet>> {
        if !(1..=MOST_FACETS).contains(&specs.len()) {
            return Err(Error::invalid("/facets", "must name 1 to 50 fields"));
        }
        let facets = specs.iter().enumerate().map(|(at, spec)| {
            let facet = self.payload.facet(spec, among);
            facet.map_err(|e| e.under(&format!("/facets/{at}")))
        });
        facets.collect()
    }

    /// Items of these categories or below them.
    pub(super) fn in_categories(&self, paths: &[String]) -> Result<RoaringBitmap> {
        let any = paths.iter().map(|path| Scalar::Str(path.clone()));
        let condition = Condition::Match(MatchCondition {
            key: "category".into(),
            r#match: Match::Any(any.collect()),
        });
        self.matching(Some(&FilterSpec::Tree(Filter {
            must: vec![condition],
            ..Filter::default()
        })))
    }

    /// Items that cannot be bought now.
    pub(super) fn out_of_stock(&self) -> Result<RoaringBitmap> {
        self.matching(Some(&FilterSpec::Text(
            "availability = out_of_stock".into(),
        )))
    }

    /// Items that must not be recommended any more.
    pub(super) fn expired(&self) -> Result<RoaringBitmap> {
        let now = chrono::Utc::now().to_rfc3339();
        self.matching(Some(&FilterSpec::Text(format!("expires_at <= '{now}'"))))
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
        let state = self.state.read();
        let allowed = state.allowed(request.filter.as_ref())?;
        Ok(FacetsResponse {
            matching: allowed.numbers().len(),
            facets: state.facets(&request.facets, allowed.numbers())?,
        })
    }

    /// Visits every stored event in the order of time, in microseconds since 1970.
    pub fn visit_events(&self, mut visit: impl FnMut(i64, Event)) -> Result<()> {
        self.store.scan_events(self.id, |at, event| {
            visit(at.micros, event);
            Ok(true)
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
            // The item may have been written with vectors of other encoders than those in use now.
            if item.fingerprint.is_some() && state.config.fingerprint.is_some() {
                item.fingerprint.clone_from(&state.config.fingerprint);
            }
        }
        Ok(item)
    }

    /// Several items without vectors, in the order of the ids; None for what is gone.
    pub(super) fn load_many(&self, state: &State, ids: &[&str]) -> Result<Vec<Option<Item>>> {
        let records = self.store.items(self.id, ids)?.into_iter().zip(ids);
        let live = |(record, id): (Option<(u32, Item)>, &&str)| {
            let current = match state.outgoing.get(*id) {
                Some((_, item)) => Some(item.clone()),
                None => record.map(|(_, item)| item),
            };
            current.filter(|_| state.numbers.contains_key(*id))
        };
        Ok(records.map(live).collect())
    }
}

pub(super) fn check_limit(limit: usize) -> Result<()> {
    if (1..=1000).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("/limit", "must be 1 to 1000"))
}
