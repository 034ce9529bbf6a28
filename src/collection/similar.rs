//! Items like an item, in its own category, in others or anywhere.

use std::time::Instant;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    DiversifySpec, FilterSpec, Reason, RulePath, SearchResponse, SimilarParams, search::Scope,
};

use super::{Collection, State, acting::pinned};
use crate::{Error, Result, Search, Shopper, Target, VectorSearch};

/// Categories that may be named.
const MOST_CATEGORIES: usize = 20;

impl Collection {
    /// Items near to an item, in its own category, in others or anywhere. Gives up at `deadline`.
    ///
    /// In other categories, likeness is what is left without what a category has in common, and what behaviour says counts
    /// too: items that the same people chose, what is popular, and how often people go from category to category.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers to the parameters, an item or a vector that is not there, the deadline.
    pub fn similar(
        &self,
        id: &str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<SearchResponse> {
        check_categories(&params.categories)?;
        let state = self.state.read();
        if params.scope == Scope::Cross {
            return self.cross(&state, id, params, deadline);
        }
        let scope = self.scope(&state, id, params)?;
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
        match diversity(params) {
            None if !has_rules => self.execute(&state, &request, scope.as_ref()),
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
                let answer = self.find_in(&state, &request, &shopper, scope, path)?;
                self.as_similar(&state, id, answer)
            }
        }
    }

    /// What alone may be found; None for all.
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

    /// The category of an item.
    pub(super) fn category(&self, state: &State, id: &str) -> Result<String> {
        self.load(state, id, false)?.category.ok_or_else(|| {
            Error::invalid(
                "/scope",
                format!("item `{id}` has no category; use scope any"),
            )
        })
    }

    /// An answer to a search by an item, told as what is like it.
    fn as_similar(
        &self,
        state: &State,
        id: &str,
        mut answer: SearchResponse,
    ) -> Result<SearchResponse> {
        let own = self.load(state, id, false)?;
        let title = own.title.as_deref().unwrap_or(id);
        for hit in &mut answer.hits {
            if hit.reason.as_ref().is_some_and(|r| *r == pinned()) {
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
            ..answer
        })
    }
}

fn check_categories(paths: &[String]) -> Result<()> {
    if paths.len() > MOST_CATEGORIES {
        return Err(Error::invalid(
            "/categories",
            format!(
                "names {} categories, at most {MOST_CATEGORIES}",
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

/// What the query string says of diversity.
pub(super) fn diversity(params: &SimilarParams) -> Option<DiversifySpec> {
    let quotas = [
        ("category", params.max_per_category),
        ("brand", params.max_per_brand),
    ];
    let quotas = quotas
        .into_iter()
        .filter_map(|(field, most)| Some((field.to_owned(), most?)));
    let spec = DiversifySpec {
        mmr: params.mmr,
        space: None,
        max_per: quotas.collect(),
        group_by: params.group_by.clone(),
    };
    (spec != DiversifySpec::default()).then_some(spec)
}
