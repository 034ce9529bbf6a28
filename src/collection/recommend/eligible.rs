//! Items that a recommendation may contain.

use std::sync::Arc;

use roaring::RoaringBitmap;
use vitrine_schemas::{Fallback, RecommendRequest, Scope};

use crate::{
    Result,
    collection::{
        State,
        shopper::history::{History, MAX_RECENT_ITEMS},
    },
    index::CandidateFilter,
};

/// Returns the matching items without expired, excluded and unavailable ones, within the requested
/// categories.
pub(super) fn eligible_items(
    state: &State,
    request: &RecommendRequest,
    matching: Arc<CandidateFilter>,
    history: &History,
    fallbacks: &mut Vec<Fallback>,
) -> Result<Arc<CandidateFilter>> {
    let mut excluded = &history.excluded | state.expired()?;
    if request.exclude_out_of_stock {
        excluded |= state.out_of_stock()?;
    }
    let scope = category_scope(state, request, history, fallbacks)?;
    if scope.is_none() && excluded.is_disjoint(matching.internal_ids()) {
        return Ok(matching);
    }
    let mut eligible = matching.internal_ids() - excluded;
    if let Some(scope) = scope {
        eligible &= scope;
    }
    Ok(Arc::new(CandidateFilter::from(eligible)))
}

/// Returns the items of the requested categories; None for all items.
fn category_scope(
    state: &State,
    request: &RecommendRequest,
    history: &History,
    fallbacks: &mut Vec<Fallback>,
) -> Result<Option<RoaringBitmap>> {
    let named = match request.categories.as_slice() {
        [] => None,
        paths => Some(state.in_categories(paths)?),
    };
    if request.scope == Scope::Any {
        return Ok(named);
    }
    let liked = history.liked().take(MAX_RECENT_ITEMS);
    let liked = liked.filter_map(|item| state.internal_ids.get(&item.id));
    let liked: RoaringBitmap = liked.copied().collect();
    let (mut same, mut all) = (RoaringBitmap::new(), RoaringBitmap::new());
    for category in state.categories.values() {
        all |= category;
        if !category.is_disjoint(&liked) {
            same |= category;
        }
    }
    if same.is_empty() {
        fallbacks.push(Fallback::NoCategory);
        return Ok(named);
    }
    let scope = match request.scope {
        Scope::Same => same,
        _ => all - same,
    };
    Ok(Some(match named {
        Some(named) => named & scope,
        None => scope,
    }))
}
