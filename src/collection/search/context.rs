//! Context of a search: the shopper's profile, the blend, the rules and the eligible items.

use std::sync::Arc;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    BlendMethod, FacetsOver, Fallback, RulePath, SearchExplanation, SearchFacets, Source,
    SourceUse, Total, TotalRelation,
};

use crate::{
    Error, Result, Search, Shopper, Target,
    collection::{
        Collection, State,
        ranking::{
            RankingRequest,
            contributions::source_usage,
            cursor::Cursor,
            merchandising::{Merchandising, RuleContext},
            order,
            pool_size::PoolSize,
        },
        search::{
            pool::{HYBRID_VECTOR_K, SearchPool},
            vector::VectorMatches,
        },
        shopper::ShopperProfile,
        state::filter_cache::FilterMatches,
    },
    index::CandidateFilter,
    query::blend::{BlendModel, CandidateSet, Ranked},
};

/// Maximum number of hits up to the end of a page that is addressed by an offset.
const MAX_WINDOW: usize = 10_000;

/// Factor of the scores of items that meet an uncertain condition of the text: it orders hits of
/// like scores, and lifts none that is much less relevant.
const PREFERENCE_FACTOR: f32 = 1.25;

/// Minimum number of items without a query that are ranked for a shopper.
const BROWSED_CANDIDATES: usize = 1_000;

/// A search request, resolved against the state of the collection.
pub(super) struct SearchContext<'a> {
    pub collection: &'a Collection,
    pub state: &'a State,
    pub request: &'a Search,
    pub shopper: &'a Shopper,
    pub profile: ShopperProfile<'a>,
    /// The blend of the sources; None if hits are ranked by the scores of a single source.
    pub blend: Option<BlendModel>,
    pub merchandising: Merchandising,
    /// Rows of variants that match; None if all do.
    pub rows: Option<Arc<RoaringBitmap>>,
    /// Items that may be hits.
    pub eligible: Arc<CandidateFilter>,
    /// Eligible items whose scores rules raise; None if there are none, or if all are.
    pub boosted: Option<Arc<CandidateFilter>>,
}

impl<'a> SearchContext<'a> {
    /// Resolves a request among the items in `scope` (None: all), with the rules of `path`.
    pub fn new(
        collection: &'a Collection,
        state: &'a State,
        request: &'a Search,
        shopper: &'a Shopper,
        scope: Option<&RoaringBitmap>,
        path: RulePath,
    ) -> Result<Self> {
        let _span = tracing::info_span!("filter").entered();
        check_request(request)?;
        order::check(&request.sort, state, !request.is_filter_only())?;
        let space = request.target.as_ref().map(|_| request.space.as_str());
        let profile = ShopperProfile::new(collection, state, shopper, space)?;
        let blend = search_blend(collection, request, shopper, &profile)?;
        let FilterMatches {
            items: mut eligible,
            mut rows,
        } = state.filtered(request.filter.as_ref())?;
        let understood = request.understood.as_ref().map(|u| &u.filter);
        let rule_context = RuleContext {
            is_on: !request.without_rules,
            path,
            text: request.text.as_deref(),
            filters: [request.filter.as_ref(), understood],
            categories: &[],
            item: match &request.target {
                Some(Target::Item(id)) => Some(id),
                _ => None,
            },
        };
        let mut merchandising =
            collection.merchandising(state, &rule_context, eligible.internal_ids())?;
        let mut excluded = profile.rejected() | merchandising.hidden();
        excluded.extend(state.searched_item(request.target.as_ref()));
        if !excluded.is_disjoint(eligible.internal_ids()) {
            eligible = Arc::new(CandidateFilter::from(eligible.internal_ids() - &excluded));
        }
        let mut understood = understood.map(|f| state.matching_rows(f)).transpose()?;
        if let Some(understood) = &mut understood {
            // Both filters have to hold for one variant.
            if let Some(rows) = &rows {
                *understood &= &**rows;
            }
            if state.payload.has_variants() {
                rows = Some(Arc::new(understood.clone()));
            }
        }
        let understood = understood.map(|rows| state.payload.items_of(rows));
        let scope = match (understood, scope) {
            (Some(understood), Some(scope)) => Some(understood & scope),
            (understood, scope) => understood.or_else(|| scope.cloned()),
        };
        if let Some(scope) = merchandising.intersect_scope(scope) {
            eligible = Arc::new(CandidateFilter::from(eligible.internal_ids() & scope));
        }
        merchandising.retain_pins(eligible.internal_ids());
        let preferred = request.understood.iter().flat_map(|u| &u.preferred);
        for filter in preferred {
            merchandising.prefer(state.visible_matches(Some(filter))?, PREFERENCE_FACTOR);
        }
        if !request.sort.is_empty() {
            merchandising.ignore_boosts();
        }
        let boosted = merchandising.stage.boosted_items(eligible.internal_ids());
        Ok(Self {
            boosted: boosted.map(|items| Arc::new(CandidateFilter::from(items))),
            collection,
            state,
            request,
            shopper,
            profile,
            blend,
            merchandising,
            rows,
            eligible,
        })
    }

    /// Returns true if the hits have an explicit order: that of the request, or the default one of
    /// a search without a query that neither a shopper nor a rule changes.
    pub fn is_ordered(&self) -> bool {
        let is_plain = self.blend.is_none() && self.merchandising.stage.boosts.is_empty();
        // A text that matched nothing may have been dropped; its cursors are those of a ranking.
        let is_text_free = self.request.text.is_none();
        let is_diverse = self.shopper.diversify.is_some();
        !self.request.sort.is_empty()
            || (self.request.is_filter_only() && is_text_free && is_plain && !is_diverse)
    }

    /// Returns the request of a page of `limit` hits to the ranking pipeline.
    pub fn ranking(&self, cursor: Cursor, limit: usize) -> RankingRequest<'_> {
        let request = self.request;
        RankingRequest {
            state: self.state,
            eligible: self.eligible.internal_ids(),
            merchandising: &self.merchandising,
            diversify: self.shopper.diversify.as_ref(),
            space: request.target.as_ref().map(|_| request.space.as_str()),
            quota_sets: &[],
            limit,
            cursor,
            max_pool_size: PoolSize::SEARCH.max,
        }
    }

    /// Returns true if several sources or rules contribute to the ranking, so that a page is
    /// selected from a larger pool, and hits come with contributions.
    pub fn is_multi_source(&self) -> bool {
        self.blend.is_some() || !self.merchandising.stage.is_empty()
    }

    /// Returns the number of candidates of each source to start with.
    pub fn initial_pool_size(&self) -> usize {
        let limit = self.request.offset + self.request.limit;
        match self.shopper.diversify {
            // A shopper may like any of the items.
            _ if self.request.is_filter_only() && self.blend.is_some() => {
                BROWSED_CANDIDATES.max(PoolSize::SEARCH.initial(limit))
            }
            Some(_) => PoolSize::SEARCH.diversified().initial(limit),
            None if self.is_multi_source() => PoolSize::SEARCH.initial(limit),
            None => limit,
        }
    }

    fn pins(&self) -> RoaringBitmap {
        let pins = self.merchandising.stage.pins.iter();
        pins.map(|pin| pin.internal_id).collect()
    }

    /// Returns the items that match, without pins that do not.
    pub fn matches(&self, pool: &SearchPool) -> RoaringBitmap {
        let eligible = self.eligible.internal_ids();
        match (&pool.lexical, &pool.vector) {
            (Some(lexical), None) => lexical.all.clone(),
            (Some(lexical), Some(vector)) => match &pool.vector_matches {
                Some(by_vector) => &lexical.all | by_vector,
                None => vector.members() & eligible,
            },
            (None, Some(vector)) => vector.members() & eligible,
            (None, None) => eligible.clone(),
        }
    }

    /// Returns the number of items that match. It is a lower bound if more vectors than were looked
    /// at are near the query.
    pub fn total(&self, pool: &SearchPool) -> Total {
        let pins = self.pins();
        let value = match (&pool.lexical, &pool.vector, &pool.vector_matches) {
            (None, Some(vector), _) | (Some(_), Some(vector), None) => {
                let without = pins.iter().filter(|id| vector.score(*id).is_none());
                vector.matching() + without.count() as u64
            }
            _ => self.matches(pool).union_len(&pins),
        };
        let is_cut = pool
            .vector_matches
            .as_ref()
            .is_some_and(|by_vector| by_vector.len() >= HYBRID_VECTOR_K as u64);
        let relation = match is_cut {
            true => TotalRelation::Gte,
            false => TotalRelation::Eq,
        };
        Total { value, relation }
    }

    /// Returns the value counts of the requested fields, among the matches or the candidates.
    pub fn facets(&self, pool: &SearchPool, ranked: &[Ranked]) -> Result<Option<SearchFacets>> {
        if self.request.facets.is_empty() {
            return Ok(None);
        }
        let items = match self.request.facets_over {
            FacetsOver::Matches => self.matches(pool) | self.pins(),
            FacetsOver::Candidates => internal_ids(ranked),
        };
        Ok(Some(SearchFacets {
            over: self.request.facets_over,
            items: items.len(),
            fields: self
                .state
                .facets(&self.request.facets, &items, self.rows.as_deref())?,
        }))
    }

    /// Returns how the candidates were found.
    pub fn explanation(&self, pool: &SearchPool) -> SearchExplanation {
        let (lexical, live) = (pool.lexical.as_ref(), self.state.live.len());
        let without_vector = || {
            let matching = self.eligible.internal_ids().len();
            SearchExplanation {
                plan: String::new(),
                matching,
                members: live,
                selectivity: matching as f64 / live.max(1) as f64,
                compared: lexical.map_or(0, |l| l.all.len()),
            }
        };
        let vector = pool.vector.as_ref();
        SearchExplanation {
            plan: pool.plan(),
            ..vector.map_or_else(without_vector, VectorMatches::explanation)
        }
    }

    /// Returns the sources of the ranking; none if a single source ranks.
    pub fn source_usage(&self, set: &CandidateSet) -> Vec<SourceUse> {
        let Some(blend) = &self.blend else {
            return Vec::new();
        };
        let counts = Source::VARIANTS.map(|source| {
            let candidates = set.candidates.iter();
            let scored = candidates.filter(|c| c.signals.get(source).is_some());
            (source, scored.count() as u64)
        });
        source_usage(|source| blend.weight_in(source, set), counts)
    }

    /// Returns the parts of personalization that lack data.
    pub fn fallbacks(&self) -> Vec<Fallback> {
        let shopper = self.shopper;
        if shopper.is_default() {
            return Vec::new();
        }
        let is_known = shopper.user.is_some() || shopper.session.is_some();
        let lacks_history = is_known && self.profile.evidence() == 0.0;
        let method = self.blend.as_ref().map(|b| b.method);
        let is_rrf = method == Some(BlendMethod::Rrf);
        let fallbacks = [
            (lacks_history, Fallback::NoHistory),
            (!self.profile.has_model(), Fallback::NoModel),
            (shopper.blend.is_none() && is_rrf, Fallback::NoLearnedBlend),
        ];
        let missing = fallbacks.into_iter().filter(|(is_missing, _)| *is_missing);
        missing.map(|(_, fallback)| fallback).collect()
    }
}

fn internal_ids(ranked: &[Ranked]) -> RoaringBitmap {
    ranked.iter().map(|hit| hit.candidate.item).collect()
}

fn check_request(request: &Search) -> Result<()> {
    let relevance = request.relevance.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&relevance) {
        let detail = format!("expected 0 to 1, got {relevance}");
        return Err(Error::invalid("/relevance", detail));
    }
    if request.offset > 0 && request.cursor.is_some() {
        let detail = "cannot be combined with `cursor`; a cursor continues after the page before";
        return Err(Error::invalid("/offset", detail));
    }
    let end = request.offset.saturating_add(request.limit);
    if request.offset > 0 && end > MAX_WINDOW {
        let detail = format!(
            "expected offset + limit of at most {MAX_WINDOW}, got {end}; follow `next_cursor`, or \
             narrow the filter"
        );
        return Err(Error::invalid("/offset", detail));
    }
    Ok(())
}

/// Returns the blend of a search; None if a single source ranks by its own scores.
fn search_blend(
    collection: &Collection,
    request: &Search,
    shopper: &Shopper,
    profile: &ShopperProfile<'_>,
) -> Result<Option<BlendModel>> {
    let is_hybrid = request.is_hybrid();
    if shopper.is_anonymous() && is_hybrid {
        return Ok(Some(BlendModel::hybrid()));
    }
    if shopper.is_default() {
        return Ok(None);
    }
    let blend = collection.blend(shopper.blend.as_ref())?;
    let is_unlearned = profile.evidence() == 0.0 && blend.method == BlendMethod::Rrf;
    // Rank fusion is worse than scores if there are only a text and a vector.
    if is_hybrid && is_unlearned && shopper.blend.is_none() {
        return Ok(Some(BlendModel::hybrid()));
    }
    let has_weights = shopper.blend.as_ref().is_some_and(|b| b.weights.is_some());
    Ok(Some(if has_weights {
        BlendModel::clone(&blend)
    } else {
        blend.for_search(is_hybrid)
    }))
}
