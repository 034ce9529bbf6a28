//! Similar items: in the item's own category, in other categories or anywhere.

pub(super) mod category_stats;
mod centered;
mod cross_category;

use std::time::Instant;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    DiversifySpec, FilterSpec, Reason, RulePath, Scope, SearchResponse, SimilarParams,
};

use crate::{
    Error, Result, Search, Shopper, Target, VectorSearch,
    collection::{Collection, State, ranking::merchandising::pinned_reason},
};

/// Maximum number of categories in a request.
const MAX_CATEGORIES: usize = 20;

impl Collection {
    /// Returns items similar to an item, in its own category, in other categories or anywhere.
    /// Fails at `deadline`.
    ///
    /// In other categories, vectors are compared without their category's centroid, and behavior
    /// contributes too: item neighbors, popularity, and how often users go from category to
    /// category.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers to the parameters, an item or a vector that does not exist,
    /// the deadline.
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
    /// let params = serde_json::from_value(json!({"scope": "any", "limit": 2}))?;
    /// let response = shop.similar("a", &params, None)?;
    /// let ids: Vec<_> = response.hits.iter().map(|hit| hit.id.as_str()).collect();
    /// assert_eq!(ids, ["b", "c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn similar(
        &self,
        id: &str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<SearchResponse> {
        check_categories(&params.categories)?;
        let state = self.state.read();
        if params.scope == Scope::Cross {
            return self.cross_category(&state, id, params, deadline);
        }
        let mut scope = self.scope(&state, id, params)?;
        let unavailable = state.unavailable(params)?;
        if !unavailable.is_empty() {
            let all = || state.live.clone();
            scope = Some(scope.unwrap_or_else(all) - unavailable);
        }
        let request = VectorSearch {
            target: Target::Item(id.to_string()),
            fingerprint: None,
            space: params.space.clone(),
            filter: params.filter.clone().map(FilterSpec::Text),
            limit: params.limit,
            ef: None,
            exact: false,
            with_vectors: false,
            explain: params.explain,
            deadline,
        };
        let has_rules = params.rules && self.has_rules();
        let response = match diversity(params) {
            None if !has_rules => self.search_vectors_in(&state, &request, scope.as_ref())?,
            diversify => {
                let shopper = Shopper {
                    diversify,
                    ..Shopper::default()
                };
                let request = Search {
                    without_rules: !params.rules,
                    ..Search::from(request)
                };
                let (scope, path) = (scope.as_ref(), RulePath::Similar);
                self.search_in(&state, &request, &shopper, scope, path)?
            }
        };
        self.as_similar(&state, id, response)
    }

    /// Returns the only items that may be hits; None for all.
    fn scope(
        &self,
        state: &State,
        id: &str,
        params: &SimilarParams,
    ) -> Result<Option<RoaringBitmap>> {
        let named = match params.categories.as_slice() {
            [] => None,
            paths => Some(state.in_categories(paths)?),
        };
        if params.scope == Scope::Any {
            return Ok(named);
        }
        let category = self.category(state, id)?;
        let same = state.categories.get(&category).cloned().unwrap_or_default();
        Ok(Some(match named {
            Some(named) => named & same,
            None => same,
        }))
    }

    /// Returns the category of an item.
    ///
    /// # Errors
    /// The item does not exist or has no category.
    pub(in crate::collection) fn category(&self, state: &State, id: &str) -> Result<String> {
        self.load(state, id, false)?.category.ok_or_else(|| {
            Error::invalid(
                "/scope",
                format!("item `{id}` has no category; use scope `any`"),
            )
        })
    }

    /// Turns the response of a search by an item into one about similar items.
    fn as_similar(
        &self,
        state: &State,
        id: &str,
        mut response: SearchResponse,
    ) -> Result<SearchResponse> {
        let item = self.load(state, id, false)?;
        let title = item.title.as_deref().unwrap_or(id);
        for hit in &mut response.hits {
            if hit.reason.as_ref().is_some_and(|r| *r == pinned_reason()) {
                continue;
            }
            hit.reason = Some(Reason {
                code: "similar".to_owned(),
                items: vec![id.to_owned()],
                text: format!("Similar to {title}"),
            });
        }
        Ok(SearchResponse {
            total: None,
            next_cursor: None,
            fallbacks: Vec::new(),
            ..response
        })
    }
}

impl State {
    /// Returns the items that are not offered as similar: expired ones, and, if asked for, those
    /// out of stock.
    pub(super) fn unavailable(&self, params: &SimilarParams) -> Result<RoaringBitmap> {
        let expired = self.expired()?;
        Ok(match params.exclude_out_of_stock {
            true => expired | self.out_of_stock()?,
            false => expired,
        })
    }
}

fn check_categories(paths: &[String]) -> Result<()> {
    if paths.len() > MAX_CATEGORIES {
        return Err(Error::invalid(
            "/categories",
            format!(
                "has {} categories; the limit is {MAX_CATEGORIES}",
                paths.len()
            ),
        ));
    }
    if paths.iter().any(String::is_empty) {
        return Err(Error::invalid(
            "/categories",
            "has an empty name; write `Clothing > Shoes,Home`, and `\\,` for a comma within a name",
        ));
    }
    Ok(())
}

/// Returns the diversity that the parameters ask for; None without any.
fn diversity(params: &SimilarParams) -> Option<DiversifySpec> {
    let quotas = [
        ("category", params.max_per_category),
        ("brand", params.max_per_brand),
    ];
    let quotas = quotas
        .into_iter()
        .filter_map(|(field, max)| Some((field.to_owned(), max?)));
    let spec = DiversifySpec {
        mmr: params.mmr,
        max_per: quotas.collect(),
        group_by: params.group_by.clone(),
        ..DiversifySpec::default()
    };
    (spec != DiversifySpec::default()).then_some(spec)
}
