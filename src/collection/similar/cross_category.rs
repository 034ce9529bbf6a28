//! Similar items of other categories: near by category-centered vectors, chosen by the same users,
//! or popular in categories that users go to from the item's own.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Fallback, FilterSpec, Reason, RulePath, SearchExplanation, SearchResponse, SimilarParams,
    Source,
};

use crate::{
    Error, Result,
    behavior::{Log, Model, Popular},
    cf::Scored,
    collection::{
        Collection, State,
        ranking::{
            CandidateSource, RankedPage, RankingRequest,
            contributions::{main_source, source_usage},
            cursor::Cursor,
            diversify,
            hits::{Explainer, Titles},
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
    index::SearchStats,
    query::blend::{BlendModel, CandidateSet, Ranked},
};

/// Minimum share of the score for a direct reason.
const MIN_DIRECT_SHARE: f32 = 0.1;

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

/// Behavior data of the query item.
struct ItemBehavior<'a> {
    log: &'a Log,
    popular: Option<Arc<Popular>>,
    /// Eligible item neighbors by internal id, with similarity and number of users.
    neighbors: HashMap<u32, (f32, u32)>,
    /// Number of events with the query item.
    evidence: f32,
}

/// Candidate source of similar items in other categories.
struct CrossCategoryCandidates<'a> {
    context: &'a CrossCategoryContext<'a>,
    behavior: &'a ItemBehavior<'a>,
    blend: &'a BlendModel,
}

/// Candidates with the sources that found them.
struct CrossCategoryPool {
    candidates: CandidateSet,
    /// Index in `categories` by internal id.
    category_of: HashMap<u32, usize>,
    counts: Vec<(Source, u64)>,
    stats: Option<SearchStats>,
    is_exhausted: bool,
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

impl CandidateSource for CrossCategoryCandidates<'_> {
    type Pool = CrossCategoryPool;

    fn gather(&self, size: usize) -> Result<CrossCategoryPool> {
        let (context, behavior) = (self.context, self.behavior);
        let (state, categories) = (context.state, &context.categories);
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        let (mut stats, mut is_exhausted) = (None, true);
        if let Some(centered) = &context.centered {
            let (targets, deadline) = (&context.targets, context.deadline);
            let matches = centered.nearest(state, categories, targets, size, deadline)?;
            stats = Some(matches.stats);
            is_exhausted &= matches.is_exhausted;
            lists.push((Source::Query, matches.hits));
        }
        lists.push((Source::Behavior, behavior.neighbors()));
        let popular = behavior.popular(state, &context.eligible, &context.targets, size);
        is_exhausted &= popular.len() < size;
        lists.push((Source::Popularity, popular));
        let counts = lists.iter().map(|(s, list)| (*s, list.len() as u64));
        let mut counts: Vec<_> = counts.collect();
        let mut candidates = CandidateSet::of(behavior.evidence, &lists);
        let items: RoaringBitmap = candidates.candidates.iter().map(|c| c.item).collect();
        let mut category_of = HashMap::new();
        for (index, category) in categories.iter().enumerate() {
            let members = &category.items & &items;
            category_of.extend(members.iter().map(|item| (item, index)));
        }
        let category = |item: u32| category_of.get(&item).map(|index| &categories[*index]);
        if let Some(centered) = &context.centered {
            let score = |item| centered.score(category(item)?.path, item);
            candidates.score_missing(Source::Query, score);
        }
        candidates.score_missing(Source::Popularity, |item| behavior.popularity(state, item));
        candidates.score_missing(Source::Transition, |item| category(item)?.probability);
        let transitions = candidates.candidates.iter();
        let transitions = transitions.filter(|c| c.signals.get(Source::Transition).is_some());
        counts.push((Source::Transition, transitions.count() as u64));
        Ok(CrossCategoryPool {
            candidates,
            category_of,
            counts,
            stats,
            is_exhausted,
        })
    }

    fn is_exhausted(&self, pool: &CrossCategoryPool) -> bool {
        pool.is_exhausted
    }

    /// Equal scores are in the order of ids.
    fn rank(&self, pool: &CrossCategoryPool) -> Vec<Ranked> {
        let mut ranked = self.blend.rank(&pool.candidates);
        ranked.sort_by(|a, b| {
            let id = |hit: &Ranked| self.context.state.ids.get(&hit.candidate.item);
            b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b)))
        });
        ranked
    }
}

impl CrossCategoryPool {
    /// Returns how the candidates were found.
    fn plan(&self) -> &'static str {
        self.stats.map_or("behavior", |stats| stats.plan.as_str())
    }

    fn explanation(&self) -> SearchExplanation {
        match self.stats {
            Some(stats) => SearchExplanation::from(stats),
            None => SearchExplanation {
                plan: self.plan().to_owned(),
                matching: 0,
                members: 0,
                selectivity: 0.0,
                compared: 0,
            },
        }
    }
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

/// Explains hits by their relation to the query item.
struct CrossCategoryExplainer<'a> {
    context: &'a CrossCategoryContext<'a>,
    behavior: &'a ItemBehavior<'a>,
    category_of: &'a HashMap<u32, usize>,
    /// Id of the query item.
    query_item: [String; 1],
    /// Minimum number of people behind a reason that names what others did.
    min_users: u32,
}

impl Explainer for CrossCategoryExplainer<'_> {
    /// The source that explains the hit, and its internal id.
    type Draft = (Source, u32);

    /// Popularity and transitions contribute to many hits, so they are the reason only if the other
    /// sources contribute little.
    fn draft(&self, hit: &Ranked, _id: &str) -> (Source, u32) {
        let min_score = MIN_DIRECT_SHARE * hit.score;
        let is_direct = |source, score| {
            matches!(source, Source::Query | Source::Behavior) && score >= min_score
        };
        let source = main_source(hit, is_direct).unwrap_or(Source::Query);
        (source, hit.candidate.item)
    }

    fn named_items<'d>(&'d self, _draft: &'d (Source, u32)) -> &'d [String] {
        &self.query_item
    }

    fn reason(&self, (source, item): (Source, u32), titles: &Titles) -> Reason {
        let [id] = &self.query_item;
        let title = titles.get(id).unwrap_or(id);
        let (context, categories) = (self.context, &self.context.categories);
        let to = self.category_of.get(&item);
        let to = to.map_or("", |index| categories[*index].path.as_str());
        let (code, text) = match source {
            Source::Behavior => {
                let neighbor = self.behavior.neighbors.get(&item);
                match self.customers(neighbor.map_or(0, |(_, users)| *users)) {
                    Some(customers) => (
                        "bridge",
                        format!("{customers} who chose {title} also chose this"),
                    ),
                    None => ("related", format!("Goes with {title}")),
                }
            }
            Source::Transition => {
                let (from, transitions) = (&context.category, context.transitions.as_ref());
                match self.customers(transitions.map_or(0, |t| t.users(from, to))) {
                    Some(customers) => (
                        "transition",
                        format!("{customers} who chose from {from} also chose from {to}"),
                    ),
                    None => ("related", format!("Goes with {title}")),
                }
            }
            Source::Popularity => ("popular", format!("Popular in {to}")),
            _ => ("similar", format!("Similar to {title}")),
        };
        Reason {
            code: code.to_owned(),
            items: vec![id.clone()],
            text,
        }
    }
}

impl CrossCategoryExplainer<'_> {
    /// Returns a number of customers in words; None if there are too few to tell.
    fn customers(&self, count: u32) -> Option<String> {
        let noun = if count == 1 { "customer" } else { "customers" };
        let is_told = self.min_users <= 1 || count >= self.min_users;
        is_told.then(|| format!("{count} {noun}"))
    }
}

impl<'a> ItemBehavior<'a> {
    fn new(
        id: &str,
        state: &State,
        log: &'a Log,
        model: Option<&'a Model>,
        eligible: &RoaringBitmap,
    ) -> Self {
        let (ids, log_id) = (state.item_ids(log), log.number(id));
        let mut neighbors = HashMap::new();
        if let (Some(model), Some(log_id)) = (model, log_id) {
            for neighbor in model.live().item_knn.neighbors(log_id) {
                let other = ids.internal_id(neighbor.item);
                if let Some(other) = other.filter(|id| eligible.contains(*id)) {
                    neighbors.insert(other, (neighbor.similarity, neighbor.users));
                }
            }
        }
        Self {
            log,
            popular: model.map(Model::popular),
            neighbors,
            evidence: log_id.map_or(0.0, |id| log.daily.count(id) as f32),
        }
    }

    /// Returns the item neighbors, most similar first.
    fn neighbors(&self) -> Vec<Scored> {
        let neighbors = self.neighbors.iter();
        let scored = neighbors.map(|(item, (similarity, _))| Scored {
            item: *item,
            score: *similarity,
        });
        let mut scored: Vec<_> = scored.collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        scored
    }

    /// Returns the `count` most popular eligible items, or `count` of each target if there are
    /// several.
    fn popular(
        &self,
        state: &State,
        eligible: &RoaringBitmap,
        targets: &[RoaringBitmap],
        count: usize,
    ) -> Vec<Scored> {
        let Some(popular) = &self.popular else {
            return Vec::new();
        };
        let ids = state.item_ids(self.log);
        let mut left = vec![count; targets.len().max(1)];
        let mut open = left.len();
        let mut found = Vec::new();
        for scored in popular.order() {
            let internal_id = ids.internal_id(scored.item);
            let Some(item) = internal_id.filter(|id| eligible.contains(*id)) else {
                continue;
            };
            let mut is_needed = false;
            for (index, left) in left.iter_mut().enumerate() {
                let target = targets.get(index);
                if *left > 0 && target.is_none_or(|target| target.contains(item)) {
                    is_needed = true;
                    *left -= 1;
                    open -= usize::from(*left == 0);
                }
            }
            if is_needed {
                let score = scored.score;
                found.push(Scored { item, score });
            }
            if open == 0 {
                break;
            }
        }
        found
    }

    /// Returns the popularity of an item; None without events.
    fn popularity(&self, state: &State, internal_id: u32) -> Option<f32> {
        let log_id = state.item_ids(self.log).log_id(internal_id)?;
        self.popular.as_ref()?.score(log_id)
    }
}
