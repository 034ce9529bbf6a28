//! Reads without a search: by id, in the order of ids, counts and facets.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Condition, Event, Facet, FacetSpec, FacetsRequest, FacetsResponse, Filter, FilterSpec, Item,
    filter::MatchCondition, limits::MAX_PAGE_SIZE,
};

use crate::{
    Error, Result,
    collection::{Collection, State, state::filter_cache::FilterMatches},
    deadline,
};

/// Maximum number of facets in one request.
const MAX_FACETS: usize = 50;

impl State {
    /// Returns the live internal ids that match, hidden ones included.
    pub(in crate::collection) fn matching(
        &self,
        filter: Option<&FilterSpec>,
    ) -> Result<RoaringBitmap> {
        match filter {
            None => Ok(self.live.clone()),
            Some(filter) => Ok(self.payload.items_of(self.matching_rows(filter)?)),
        }
    }

    /// Returns the rows of live items that match.
    pub(in crate::collection) fn matching_rows(
        &self,
        filter: &FilterSpec,
    ) -> Result<RoaringBitmap> {
        let id_of = |id: &str| self.internal_ids.get(id).copied();
        let rows = self.payload.evaluate_rows(filter, &self.live, &id_of);
        rows.map_err(|e| e.under("/filter"))
    }

    /// Counts the values of 1 to 50 fields among some items, of those with variants by `rows`
    /// (None: all rows).
    pub(in crate::collection) fn facets(
        &self,
        specs: &[FacetSpec],
        among: &RoaringBitmap,
        rows: Option<&RoaringBitmap>,
    ) -> Result<Vec<Facet>> {
        if !(1..=MAX_FACETS).contains(&specs.len()) {
            return Err(Error::invalid("/facets", "must name 1 to 50 fields"));
        }
        for (at, spec) in specs.iter().enumerate() {
            if specs[..at].contains(spec) {
                let detail = format!("`{}` is asked for twice; name it once", spec.field);
                return Err(Error::invalid(format!("/facets/{at}/field"), detail));
            }
        }
        let mut matching = self.payload.rows_of(among);
        if let Some(rows) = rows {
            *matching.to_mut() &= rows;
        }
        let facets = specs.iter().enumerate().map(|(at, spec)| {
            deadline::check()?;
            let facet = self.payload.facet(spec, &matching);
            facet.map_err(|e| e.under(&format!("/facets/{at}")))
        });
        facets.collect()
    }

    /// Returns the paths of the categories that items have, in order, and the position of the
    /// category of each item.
    pub(in crate::collection) fn numbered_categories(&self) -> (Vec<String>, HashMap<u32, u32>) {
        let (mut paths, mut category_of) = (Vec::new(), HashMap::new());
        for (path, items) in self.categories.iter().collect::<BTreeMap<_, _>>() {
            let category = paths.len() as u32;
            paths.push(path.clone());
            category_of.extend(items.iter().map(|item| (item, category)));
        }
        (paths, category_of)
    }

    /// Returns the items of these categories and of those below them.
    pub(in crate::collection) fn in_categories(&self, paths: &[String]) -> Result<RoaringBitmap> {
        self.with_values("category", paths)
    }

    /// Returns the items that have one of the values of a field.
    pub(in crate::collection) fn with_values(
        &self,
        field: &str,
        values: &[String],
    ) -> Result<RoaringBitmap> {
        let any = MatchCondition::any_of(field, values.iter().map(String::as_str));
        self.matching(Some(&FilterSpec::Tree(Filter {
            must: vec![Condition::Match(any)],
            ..Filter::default()
        })))
    }

    /// Returns the items that are out of stock, with all their variants.
    pub(in crate::collection) fn out_of_stock(&self) -> Result<RoaringBitmap> {
        self.matching(Some(&FilterSpec::Text(
            "availability = out_of_stock".into(),
        )))
    }

    /// Returns the items whose `expires_at` has passed.
    pub(in crate::collection) fn expired(&self) -> Result<RoaringBitmap> {
        let now = chrono::Utc::now().to_rfc3339();
        self.matching(Some(&FilterSpec::Text(format!("expires_at <= '{now}'"))))
    }
}

impl Collection {
    /// Returns an item by id.
    ///
    /// # Errors
    /// [`Error::ItemNotFound`].
    pub fn get(&self, id: &str, with_vectors: bool) -> Result<Item> {
        self.load(&self.state.read(), id, with_vectors)
    }

    /// Returns the hash of the content that the item's vectors were made from.
    pub fn content_hash(&self, id: &str) -> Result<Option<String>> {
        Ok(self.get(id, false)?.content_hash)
    }

    /// Returns a page of items in the order of ids, and the cursor of the next page: the last id.
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
            .internal_ids
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

    /// Counts the matching items exactly, hidden ones included.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use vitrine::schemas::FilterSpec;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, _database, shop) = support::shop()?;
    /// let filter = FilterSpec::Text("color = red AND NOT category IN [hat]".into());
    /// assert_eq!(shop.count(Some(&filter))?, 1);
    ///
    /// let mistake = FilterSpec::Text("color = red AND".into());
    /// assert!(shop.count(Some(&mistake)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn count(&self, filter: Option<&FilterSpec>) -> Result<u64> {
        Ok(self.state.read().matching(filter)?.len())
    }

    /// Returns true for each item that exists, is not hidden and matches a filter.
    ///
    /// # Errors
    /// The filter is not valid.
    pub fn matches(&self, ids: &[&str], filter: &FilterSpec) -> Result<Vec<bool>> {
        let state = self.state.read();
        let matching = state.visible_matches(Some(filter))?;
        let matches = |id: &&str| {
            let internal_id = state.internal_ids.get(*id);
            internal_id.is_some_and(|id| matching.internal_ids().contains(*id))
        };
        Ok(ids.iter().map(matches).collect())
    }

    /// Counts values among the matching items that are not hidden.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, _database, shop) = support::shop()?;
    /// let request = json!({"filter": "category = shoes", "facets": [{"field": "color"}]});
    /// let response = shop.facets(&serde_json::from_value(request)?)?;
    /// assert_eq!(response.matching, 2);
    /// let colors = &response.facets[0].values;
    /// assert_eq!((colors[0].value.as_str(), colors[0].count), ("blue", 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn facets(&self, request: &FacetsRequest) -> Result<FacetsResponse> {
        let state = self.state.read();
        let FilterMatches { items, rows } = state.filtered(request.filter.as_ref())?;
        Ok(FacetsResponse {
            matching: items.internal_ids().len(),
            facets: state.facets(&request.facets, items.internal_ids(), rows.as_deref())?,
        })
    }

    /// Calls `each` for every stored event that others may learn from, in the order of time, in
    /// microseconds since 1970.
    pub fn for_each_event(&self, mut each: impl FnMut(i64, Event)) -> Result<()> {
        self.store.scan_events(self.id, |at, event| {
            if self.behavior.permits_training(&event) {
                each(at.micros, event);
            }
            Ok(true)
        })
    }

    pub(in crate::collection) fn load(
        &self,
        state: &State,
        id: &str,
        with_vectors: bool,
    ) -> Result<Item> {
        let missing = || Error::ItemNotFound(id.to_string());
        let number = *state.internal_ids.get(id).ok_or_else(missing)?;
        let mut item = match state.superseded.get(id) {
            Some((_, item)) => item.clone(),
            None => self.store.item(self.id, id)?.ok_or_else(missing)?.1,
        };
        item.embedding = state.marks.get(number);
        if with_vectors {
            item.vectors.extend(state.view().vectors_of(number));
            // The item may have been written with vectors of other encoders than the active ones.
            if item.fingerprint.is_some() && state.config.fingerprint.is_some() {
                item.fingerprint.clone_from(&state.config.fingerprint);
            }
        }
        Ok(item)
    }

    /// Returns several items without vectors, in the order of the ids; None for missing ones.
    pub(in crate::collection) fn load_many(
        &self,
        state: &State,
        ids: &[&str],
    ) -> Result<Vec<Option<Item>>> {
        let records = self.store.items(self.id, ids)?.into_iter().zip(ids);
        let live = |(record, id): (Option<(u32, Item)>, &&str)| {
            let current = match state.superseded.get(*id) {
                Some((_, item)) => Some(item.clone()),
                None => record.map(|(_, item)| item),
            };
            current.filter(|_| state.internal_ids.contains_key(*id))
        };
        Ok(records.map(live).collect())
    }
}

pub(in crate::collection) fn check_limit(limit: usize) -> Result<()> {
    if (1..=MAX_PAGE_SIZE).contains(&limit) {
        return Ok(());
    }
    let detail = format!("expected 1 to {MAX_PAGE_SIZE}, got {limit}");
    Err(Error::invalid("/limit", detail))
}
