//! Similar items of other categories: near by category-centered vectors, chosen by the same users,
//! or popular in categories that users go to from the item's own.

mod candidates;
mod item_behavior;
mod reasons;

use std::{collections::HashSet, sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{Fallback, FilterSpec, RulePath, SearchResponse, SimilarParams};

use self::{
    candidates::CrossCategoryCandidates, item_behavior::ItemBehavior,
    reasons::CrossCategoryExplainer,
};
use crate::{
    Error, Result,
    collection::{
        Collection, State,
        ranking::{
            RankedPage, RankingRequest,
            contributions::source_usage,
            cursor::Cursor,
            diversify,
            merchandising::{Merchandising, RuleContext},
            pool_size::PoolSize,
        },
        similar::{
            centered::{CategoryItems, CenteredQuery},
            diversity,
        },
        state::read::check_limit,
    },
    cross::Transitions,
    query::blend::BlendModel,
};

/// A request for similar items in other categories, resolved against the state of the collection.
struct CrossCategoryContext<'a> {
    state: &'a State,
    /// Category of the query item.
    category: String,
    merchandising: Merchandising,
    /// Eligible items by category, likely categories first.
    categories: Vec<CategoryItems<'a>>,
    eligible: RoaringBitmap,
    /// Eligible items of each requested category, if there are several.
    targets: Vec<RoaringBitmap>,
    /// The query item's centered vector; None without a vector.
    centered: Option<CenteredQuery>,
    transitions: Option<Arc<Transitions>>,
    deadline: Option<Instant>,
}

impl Collection {
    /// Answers [`Collection::similar`] for other categories.
    pub(in crate::collection) fn cross_category(
        &self,
        state: &State,
        id: &str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(params.limit)?;
        let mut spec = diversity(params);
        if let Some(spec) = &spec {
            diversify::check(spec, state)?;
        }
        let context = self.cross_category_context(state, id, params, deadline)?;
        if !context.targets.is_empty() {
            spec.get_or_insert_default();
        }
        let log = self.behavior.log.read();
        let model = self.behavior.model();
        if context.centered.is_none() && model.is_none() {
            return Err(Error::NoVector {
                id: id.to_owned(),
                space: params.space.clone(),
            });
        }
        let behavior = ItemBehavior::new(id, state, &log, model.as_deref(), &context.eligible);
        let events = model.as_ref().map_or(0, |m| m.info().interactions);
        let blend = BlendModel::cross(events as f32 / state.live.len().max(1) as f32);
        let pool_size = match &spec {
            Some(_) => PoolSize::CROSS_CATEGORY.diversified(),
            None => PoolSize::CROSS_CATEGORY,
        };
        // Without rules and diversity, a larger pool does not make the page better.
        let can_grow = spec.is_some() || !context.merchandising.stage.is_empty();
        let ranking = RankingRequest {
            state,
            eligible: &context.eligible,
            merchandising: &context.merchandising,
            diversify: spec.as_ref(),
            space: context.centered.as_ref().map(|_| params.space.as_str()),
            quota_sets: &context.targets,
            limit: params.limit,
            cursor: Cursor::start(pool_size.initial(params.limit)),
            max_pool_size: if can_grow { pool_size.max } else { 0 },
        };
        let candidates = CrossCategoryCandidates {
            context: &context,
            behavior: &behavior,
            blend: &blend,
        };
        let RankedPage { pool, page, .. } = self.rank_page(&ranking, &candidates)?;
        let explainer = CrossCategoryExplainer {
            context: &context,
            behavior: &behavior,
            category_of: &pool.category_of,
            query_item: [id.to_owned()],
            min_users: state.config.anonymity.min_users,
        };
        let mut hits = self.explained_hits(&ranking, &page, &explainer)?;
        let filter = params.filter.clone().map(FilterSpec::Text);
        let offers = state.offers(filter.as_ref())?;
        offers.add_to(&mut hits, &HashSet::new());
        Ok(SearchResponse {
            plan: pool.plan().to_owned(),
            explain: params.explain.then(|| pool.explanation()),
            sources: source_usage(
                |source| blend.weight(source, behavior.evidence),
                pool.counts,
            ),
            blend: Some(blend.usage()),
            fallbacks: context.fallbacks(model.is_some()),
            diversity: page.diversity,
            rules: context.merchandising.rule_usage(state, &hits),
            hits,
            request_id: None,
            experiment: None,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            ..SearchResponse::default()
        })
    }

    fn cross_category_context<'a>(
        &self,
        state: &'a State,
        id: &'a str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<CrossCategoryContext<'a>> {
        let category = self.category(state, id)?;
        let filter = params.filter.clone().map(FilterSpec::Text);
        let matching = state.visible_matches(filter.as_ref())?;
        let context = RuleContext {
            is_on: params.rules,
            path: RulePath::Similar,
            text: None,
            filters: [filter.as_ref(), None],
            categories: &params.categories,
            item: Some(id),
        };
        let mut merchandising = self.merchandising(state, &context, matching.internal_ids())?;
        let matching = merchandising.apply_scope(matching);
        let named: Vec<RoaringBitmap> = params
            .categories
            .iter()
            .map(|path| state.in_categories(std::slice::from_ref(path)))
            .collect::<Result<_>>()?;
        let scope = match named.as_slice() {
            [] => matching.internal_ids().clone(),
            named => matching.internal_ids() & union(named),
        } - state.unavailable(params)?;
        let transitions = self.transitions(state);
        let categories = categories_by_likelihood(state, &category, &scope, transitions.as_deref());
        let eligible = categories
            .iter()
            .fold(RoaringBitmap::new(), |all, category| all | &category.items);
        merchandising.retain_pins(&eligible);
        Ok(CrossCategoryContext {
            state,
            merchandising,
            centered: self.centered(state, id, &category, &params.space)?,
            category,
            categories,
            targets: match named.as_slice() {
                [] | [_] => Vec::new(),
                named => named.iter().map(|items| items & &eligible).collect(),
            },
            eligible,
            transitions,
            deadline,
        })
    }
}

/// Returns the other categories with items in `scope`, those that users go to most first, then the
/// largest.
fn categories_by_likelihood<'a>(
    state: &'a State,
    from: &str,
    scope: &RoaringBitmap,
    transitions: Option<&Transitions>,
) -> Vec<CategoryItems<'a>> {
    let others = state.categories.iter().filter(|(path, _)| *path != from);
    let categories = others.map(|(path, items)| CategoryItems {
        path,
        probability: transitions.and_then(|t| t.probability(from, path)),
        items: items & scope,
    });
    let mut categories: Vec<_> = categories.filter(|c| !c.items.is_empty()).collect();
    categories.sort_by(|a, b| {
        let probability = |category: &CategoryItems<'_>| category.probability.unwrap_or(0.0);
        let by_probability = probability(b).total_cmp(&probability(a));
        let by_size = || b.items.len().cmp(&a.items.len());
        by_probability
            .then_with(by_size)
            .then_with(|| a.path.cmp(b.path))
    });
    categories
}

fn union(sets: &[RoaringBitmap]) -> RoaringBitmap {
    sets.iter().fold(RoaringBitmap::new(), |all, set| all | set)
}

impl CrossCategoryContext<'_> {
    /// Returns the sources that lack data.
    fn fallbacks(&self, has_model: bool) -> Vec<Fallback> {
        let transitions = self.transitions.as_ref();
        let fallbacks = [
            (!has_model, Fallback::NoModel),
            (self.centered.is_none(), Fallback::NoVectors),
            (
                transitions.is_none_or(|t| t.is_empty()),
                Fallback::NoTransitions,
            ),
        ];
        let missing = fallbacks.into_iter().filter(|(is_missing, _)| *is_missing);
        missing.map(|(_, fallback)| fallback).collect()
    }
}
