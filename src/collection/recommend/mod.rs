//! Recommendations for a shopper or a list of items, by behavior, content and popularity.
//!
//! `history` determines the items that a recommendation starts from, `sources` its candidates,
//! `query::blend` their order and `reason` the explanations.

mod bought_together;
mod categories;
mod check;
mod eligible;
mod explore;
mod following;
mod freshness;
mod learn;
mod popular;
mod private;
mod sources;

use std::{cell::OnceCell, collections::HashSet, sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    BlendMethod, BlendSpec, Fallback, Hit, ModelInfo, RecommendHit, RecommendRequest,
    RecommendResponse, RulePath, Source,
};

use crate::{
    Error, Result,
    behavior::{Sequences, Training},
    collection::{
        Collection, State,
        ranking::{
            CandidateSource, RankedPage, RankingRequest, contributions::source_usage,
            cursor::Cursor, diversify, merchandising::RuleContext, pool_size::PoolSize,
        },
        recommend::{
            check::{check_lists, check_weights},
            eligible::eligible_items,
            explore::{Exploration, Explored},
            following::Following,
            freshness::ItemAges,
            sources::{SourceCandidates, SourceRequest, SourceScores, Sources},
        },
        shopper::{content, history::History, reason::HistoryExplainer},
        state::read::check_limit,
    },
    query::{
        blend::{BlendModel, Ranked},
        feed::Feed,
    },
};

impl Collection {
    /// Trains the behavior models on all events; requests are answered meanwhile. Without this call
    /// the database trains in the background.
    ///
    /// # Errors
    /// A parameter is out of range, or the training needs more memory than configured.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use serde_json::json;
    /// use vitrine::Training;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, database, shop) = support::shop()?;
    /// let events = json!([
    ///     {"kind": "purchase", "collection": "shop", "user": "u1", "items": ["a", "c"]},
    ///     {"kind": "purchase", "collection": "shop", "user": "u2", "items": ["a", "c"]},
    /// ]);
    /// database.append_events(&serde_json::from_value::<Vec<_>>(events)?)?;
    ///
    /// let model = shop.train(&Training::default())?;
    /// assert!(model.active);
    /// assert_eq!(shop.models().models.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn train(&self, training: &Training) -> Result<ModelInfo> {
        match self.behavior.is_private() {
            true => self.release(training),
            false => {
                let categories = |ids: &[String]| self.categories_of(ids);
                let model = self.behavior.train(training, &categories)?;
                self.refresh_cold_items()?;
                Ok(model)
            }
        }
    }

    /// Returns the choices of each user, and of each session without a known user, in the order of
    /// time: to train a network on, for [`Training::network`].
    pub fn sequences(&self) -> Sequences {
        Sequences::of(&self.behavior.log)
    }

    /// Recommends items for a user, a session or some items. Returns exactly min(limit, matching
    /// items that are not excluded) hits.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into the request, the deadline;
    /// [`Error::PrivateCollection`] if it explores in a private collection.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, database, shop) = support::shop()?;
    /// let event = json!([{"kind": "view", "collection": "shop", "user": "u1", "items": ["a"]}]);
    /// database.append_events(&serde_json::from_value::<Vec<_>>(event)?)?;
    ///
    /// let request = serde_json::from_value(json!({"user": "u1", "limit": 2}))?;
    /// let response = shop.recommend(&request, None)?;
    /// assert_eq!(response.hits.len(), 2);
    /// // Seen items are excluded; the similar item comes first, with a reason.
    /// assert_eq!(response.hits[0].id, "b");
    /// assert!(!response.hits[0].reason.text.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recommend(
        &self,
        request: &RecommendRequest,
        deadline: Option<Instant>,
    ) -> Result<RecommendResponse> {
        let _span = tracing::info_span!("recommend", collection = self.name).entered();
        let started = Instant::now();
        check_limit(request.limit)?;
        check_lists(request)?;
        let blend = self.blend(request.blend.as_ref())?;
        let state = self.state.read();
        let (feed, now) = (Feed::of(request, &state.config)?, self.clock.now());
        if let Some(spec) = &request.diversify {
            diversify::check(spec, &state)?;
        }
        if feed.max_explored > 0 {
            self.behavior.refuse_if_private(
                "exploration would make pages depend on the events of other users; leave `explore` out",
            )?;
        }
        let log = self.behavior.log.read();
        let model = self.behavior.model();
        // The number of events of a private collection is not told.
        let blend = match &request.blend {
            None if !self.behavior.is_private() => Arc::new(blend.with_events(log.touches())),
            _ => blend,
        };
        let mut history = History::of_request(request, feed.max_impressions, &state, &log);
        if let Some(freshness) = feed.freshness {
            history.excluded |= freshness::too_old(&state, freshness, now)?;
        }
        let ages = feed.freshness;
        let ages = ages.map(|freshness| ItemAges::new(&state, freshness, now));
        let followed = request.user.as_deref().map(|user| log.followed_by(user));
        let following = feed.followed_field.zip(followed);
        let following =
            following.and_then(|(field, names)| Following::new(&state, field, &names, ages));
        let blend = match &following {
            Some(_) if request.blend.is_none() => Arc::new(blend.with_following()),
            _ => blend,
        };
        let matching = state.visible_matches(request.filter.as_ref())?;
        let context = RuleContext {
            is_on: request.rules,
            path: RulePath::Recommend,
            text: None,
            filters: [request.filter.as_ref(), None],
            categories: &request.categories,
            item: None,
        };
        let mut merchandising = self.merchandising(&state, &context, matching.internal_ids())?;
        let matching = merchandising.apply_scope(matching);
        let mut fallbacks = Vec::new();
        let eligible = eligible_items(&state, request, matching, &history, &mut fallbacks)?;
        merchandising.retain_pins(eligible.internal_ids());
        let key = cursor_key(request);
        let ranking = RankingRequest {
            state: &state,
            eligible: eligible.internal_ids(),
            merchandising: &merchandising,
            diversify: feed.diversify,
            space: content::space_of(&state, request.space.as_deref())?,
            quota_sets: &[],
            limit: request.limit,
            cursor: Cursor::decode(request.cursor.as_deref(), &key, initial_pool_size(request))?,
            max_pool_size: PoolSize::RECOMMENDATION.max,
        };
        let sources = Sources {
            ids: state.item_ids(&log),
            model: model.as_deref(),
            cold_items: Some(&self.cold_items),
        };
        let source_request = SourceRequest {
            history: &history,
            eligible: &eligible,
            blend: &blend,
            space: request.space.as_deref(),
            strategy: request.strategy,
            following: following.as_ref(),
            deadline,
        };
        let candidates = RecommendationCandidates {
            scores: sources.score(&source_request)?,
            sources,
            request: source_request,
            ages,
        };
        let RankedPage {
            pool,
            ranked,
            mut page,
            pool_size,
        } = self.rank_page(&ranking, &candidates)?;
        let exploration = (feed.max_explored > 0).then(|| Exploration {
            ranking: &ranking,
            ranked: &ranked,
            log: &log,
            max_hits: feed.max_explored,
            seed: explore::seed(&key, &ranking.cursor, &log),
        });
        let explored = exploration.map(|exploration| self.explore(&exploration, &mut page));
        let explored = explored.transpose()?;
        let followed_authors = |item| {
            let authors = following.iter().flat_map(|f| f.authors(item));
            authors.map(str::to_owned).collect()
        };
        let explainer = HistoryExplainer {
            log: &log,
            model: model.as_deref(),
            history: &history,
            content: candidates.scores.content.as_ref(),
            cold_items: Some(&self.cold_items),
            followed_authors: Some(&followed_authors),
            min_users: state.config.anonymity.min_users,
            similar_sessions: OnceCell::new(),
        };
        let mut hits = self.explained_hits(&ranking, &page, &explainer)?;
        let offers = state.offers(request.filter.as_ref())?;
        offers.add_to(&mut hits, &HashSet::new());
        let next_cursor = ranking.next_cursor(pool_size, &hits, &key, |next| {
            let left = || ranking.eligible.iter().filter_map(|id| state.ids.get(&id));
            // The items that are left are counted only near the end.
            ranking.eligible.len() > next.len() || left().any(|id| !next.has_shown(id))
        });
        fallbacks.extend(pool.candidates.fallbacks);
        if blend.method == BlendMethod::Rrf && request.blend.is_none() {
            fallbacks.push(Fallback::NoLearnedBlend);
        }
        Ok(RecommendResponse {
            next_cursor,
            sources: source_usage(
                |source| blend.weight(source, history.evidence()),
                pool.candidates.counts,
            ),
            blend: blend.usage(),
            fallbacks,
            diversity: page.diversity,
            exploration: explored.as_ref().map(Explored::usage),
            rules: merchandising.rule_usage(&state, &hits),
            history: history.items.len() as u64,
            hits: hits
                .into_iter()
                .filter_map(|hit| recommend_hit(hit, &state, explored.as_ref()))
                .collect(),
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// Returns the blend of a request.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the weights are invalid, or nothing is learned yet.
    pub(in crate::collection) fn blend(&self, spec: Option<&BlendSpec>) -> Result<Arc<BlendModel>> {
        let learned = self.blend.read().clone();
        let spec = spec.cloned().unwrap_or_default();
        let weights = spec.weights.as_ref();
        if let Some(weights) = weights {
            check_weights(weights)?;
        }
        let method = spec.method.unwrap_or(match (weights, &learned) {
            (Some(_), _) => BlendMethod::Weighted,
            (None, Some(_)) => BlendMethod::Learned,
            (None, None) => BlendMethod::Rrf,
        });
        let invalid =
            |field: &str, detail: &str| Err(Error::invalid(format!("/blend/{field}"), detail));
        match (method, weights, learned) {
            (BlendMethod::Rrf, None, _) => Ok(Arc::new(BlendModel::rrf())),
            (BlendMethod::Rrf, Some(weights), _) => Ok(Arc::new(BlendModel::rrf_with(weights))),
            (BlendMethod::Weighted, Some(weights), learned) => {
                Ok(Arc::new(BlendModel::weighted(learned.as_deref(), weights)))
            }
            (BlendMethod::Weighted, None, _) => invalid(
                "weights",
                "expected a weight for each source, such as {\"content\": 1}, got none",
            ),
            (BlendMethod::Learned, Some(_), _) => invalid(
                "weights",
                "cannot be combined with the method `learned`; use `weighted`",
            ),
            (BlendMethod::Learned, None, Some(learned)) => Ok(learned),
            (BlendMethod::Learned, None, None) => invalid(
                "method",
                "no blend is learned for this collection yet; run `vitrine-indexer train blend`, or use `rrf` or `weighted`",
            ),
        }
    }
}

/// Candidate source of a recommendation.
struct RecommendationCandidates<'a> {
    sources: Sources<'a>,
    request: SourceRequest<'a>,
    scores: SourceScores,
    /// Ages that scores decay with, if they do.
    ages: Option<ItemAges<'a>>,
}

/// Candidates of a recommendation.
struct RecommendationPool {
    candidates: SourceCandidates,
    /// True if no source has more candidates.
    is_exhausted: bool,
}

impl CandidateSource for RecommendationCandidates<'_> {
    type Pool = RecommendationPool;

    fn gather(&self, size: usize) -> Result<RecommendationPool> {
        let _span = tracing::info_span!("candidates").entered();
        let candidates = self.sources.gather(&self.request, &self.scores, size)?;
        let mut counts = candidates.counts.values();
        Ok(RecommendationPool {
            is_exhausted: counts.all(|count| (*count as usize) < size),
            candidates,
        })
    }

    fn is_exhausted(&self, pool: &RecommendationPool) -> bool {
        pool.is_exhausted
    }

    fn rank(&self, pool: &RecommendationPool) -> Vec<Ranked> {
        let (blend, candidates) = (self.request.blend, &pool.candidates.candidates);
        match &self.ages {
            Some(ages) => blend.rank_decayed(candidates, |item| ages.factor(item)),
            None => blend.rank(candidates),
        }
    }

    /// Adds the newest items that no source found and no page showed.
    fn backfill(
        &self,
        request: &RankingRequest<'_>,
        pool: &mut RecommendationPool,
        missing: usize,
    ) -> bool {
        let SourceCandidates {
            candidates,
            counts,
            fallbacks,
            ..
        } = &mut pool.candidates;
        let present: RoaringBitmap = candidates.candidates.iter().map(|c| c.item).collect();
        // Only some items of a group, an author or a topic are shown, so a diverse page needs more
        // candidates; a grouped one also the items of earlier pages, whose groups are not shown
        // again.
        let is_grouped = request.diversify.is_some_and(|d| d.group_by.is_some());
        let is_selective = request
            .diversify
            .is_some_and(|d| is_grouped || !d.max_per.is_empty() || d.max_similarity.is_some());
        let is_new =
            |item: &u32| !present.contains(*item) && (is_grouped || !request.was_shown(*item));
        let count = if is_selective {
            request.max_pool_size
        } else {
            missing
        };
        let stage = &request.merchandising.stage;
        let newest = |buried: bool| {
            let newest = request.eligible.iter().rev();
            newest.filter(move |id| stage.is_buried(*id) == buried)
        };
        let newest = newest(false).chain(newest(true)).filter(is_new);
        let newest: Vec<u32> = match &self.ages {
            Some(ages) => ages.newest(newest, |id| stage.is_buried(id), count),
            None => newest.take(count).collect(),
        };
        if newest.is_empty() {
            return false;
        }
        fallbacks.push(Fallback::Newest);
        counts.insert(Source::Newest, newest.len() as u64);
        candidates.append(Source::Newest, &newest);
        true
    }
}

fn recommend_hit(hit: Hit, state: &State, explored: Option<&Explored>) -> Option<RecommendHit> {
    let explored = explored.zip(state.internal_ids.get(&hit.id).copied());
    Some(RecommendHit {
        explored: explored.is_some_and(|(explored, item)| explored.contains(item)),
        propensity: explored.map(|(explored, item)| explored.propensity(item)),
        id: hit.id,
        score: hit.score,
        contributions: hit.contributions,
        reason: hit.reason?,
        group: hit.group,
        offer: hit.offer,
        item: hit.item,
    })
}

/// Returns the request without the size and the position of the page.
fn cursor_key(request: &RecommendRequest) -> String {
    let key = RecommendRequest {
        limit: 0,
        cursor: None,
        ..request.clone()
    };
    serde_json::to_string(&key).unwrap_or_default()
}

/// Returns the number of candidates of each source to start with.
fn initial_pool_size(request: &RecommendRequest) -> usize {
    let size = match request.diversify {
        None => PoolSize::RECOMMENDATION,
        Some(_) => PoolSize::RECOMMENDATION.diversified(),
    };
    size.initial(request.limit)
}
