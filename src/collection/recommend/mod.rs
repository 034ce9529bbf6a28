//! Recommendations: what behaviour, content and popularity propose, blended into one ranking, each with its part of
//! the score and the items it rests on.
//!
//! `history` says what a question is answered from, `sources` what may be an answer, `query::blend` in what order,
//! `reason` why.

mod best;
mod content;
mod cursor;
mod history;
mod knowledge;
mod learn;
mod neighbors;
mod popular;
mod reason;
mod sources;
mod together;

use std::{cell::OnceCell, collections::HashMap, sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    BlendMethod, BlendSpec, Contribution, Fallback, Item, ModelInfo, RecommendHit,
    RecommendRequest, RecommendResponse, RulePath, Scope, Source, SourceUse, WeightedItem,
};

pub(super) use self::{
    cursor::{Cursor, MOST_COUNT},
    knowledge::Knowledge,
};
use self::{
    history::History,
    reason::Reasons,
    sources::{Ask, Found, Sources},
};
use super::{
    Collection, State,
    acting::{About, Acting, pinned},
    diversify,
    page::{Page, Paging},
    reader::check_limit,
};
use crate::{
    Error, Result,
    behaviour::Training,
    index::Allowed,
    query::blend::{BlendModel, Ranked},
    rules::Stage,
};

/// Candidates that a source gives at least, and for each hit that is asked for.
const LEAST: usize = 100;
const PER_HIT: usize = 3;

/// Items of a history whose categories a scope goes by, the latest.
const RECENT: usize = 20;

/// Items of a request's lists.
const MOST_GIVEN: usize = 1000;

/// Greatest weight.
const MOST_WEIGHT: f32 = 1e6;

impl Collection {
    /// Learns from the events of now; questions are answered meanwhile. Without it the database does so in the background.
    ///
    /// # Errors
    /// A parameter out of range, or more memory needed than the configuration allows.
    pub fn train(&self, training: &Training) -> Result<ModelInfo> {
        self.behaviour.train(training)
    }

    /// Items for a shopper, a visit or some items; always min(limit, items that match and are not excluded).
    pub fn recommend(
        &self,
        request: &RecommendRequest,
        deadline: Option<Instant>,
    ) -> Result<RecommendResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        check_lists(request)?;
        let blend = self.blend(request.blend.as_ref())?;
        let state = self.state.read();
        if let Some(spec) = &request.diversify {
            diversify::check(spec, &state)?;
        }
        let log = self.behaviour.log.read();
        let model = self.behaviour.model();
        let history = History::of(request, &state, &log);
        let mut fallbacks = Vec::new();
        let matching = state.allowed(request.filter.as_ref())?;
        let about = About {
            is_on: request.rules,
            path: RulePath::Recommend,
            text: None,
            filters: [request.filter.as_ref(), None],
            categories: &request.categories,
            item: None,
        };
        let mut rules = self.acting(&state, &about, matching.numbers())?;
        let matching = rules.restricted(matching);
        let allowed = allowed(&state, request, matching, &history, &mut fallbacks)?;
        rules.keep_pins(allowed.numbers());
        let space = content::space_of(&state, request.space.as_deref())?;
        let sources = Sources {
            state: &state,
            log: &log,
            model: model.as_deref(),
        };
        let asked = without_page(request);
        let mut cursor = Cursor::of(request.cursor.as_deref(), &asked, first_count(request))?;
        let (found, page) = loop {
            let mut found = sources.ask(&Ask {
                history: &history,
                allowed: &allowed,
                count: cursor.count,
                blend: &blend,
                space: request.space.as_deref(),
                strategy: request.strategy,
                deadline,
            })?;
            let shown = |n: u32| state.ids.get(&n).is_some_and(|id| cursor.has_shown(id));
            let page = |found: &Found| {
                let ranked = blend.rank(&found.question);
                let ranked = rules.stage.applied(ranked, Ranked::unfound);
                self.page(
                    &state,
                    &Paging {
                        ranked: &ranked,
                        stage: &rules.stage,
                        shown: &shown,
                        offset: cursor.len() as usize,
                        limit: request.limit,
                        diversify: request.diversify.as_ref(),
                        allowed: allowed.numbers(),
                        space,
                        shares: &[],
                    },
                )
            };
            let mut chosen = page(&found)?;
            let more = found.counts.values().any(|n| *n as usize >= cursor.count);
            if chosen.is_short && more && cursor.count < MOST_COUNT {
                cursor.count = (cursor.count * 4).min(MOST_COUNT);
                continue;
            }
            let kept = chosen.hits.iter().map(|hit| hit.candidate.item);
            let kept = kept.filter(|n| rules.stage.is_pinned(*n) || !rules.stage.is_buried(*n));
            let missing = request.limit - kept.count();
            if missing > 0 {
                let stage = &rules.stage;
                add_newest(
                    &mut found, &state, &allowed, &cursor, stage, missing, request,
                );
                chosen = page(&found)?;
            }
            break (found, chosen);
        };
        fallbacks.extend(found.fallbacks.iter().copied());
        if blend.method == BlendMethod::Rrf && request.blend.is_none() {
            fallbacks.push(Fallback::NoLearnedBlend);
        }
        let reasons = Reasons {
            log: &log,
            model: model.as_deref(),
            history: &history,
            content: found.content.as_ref(),
            near: OnceCell::new(),
        };
        let hits = self.hits(&state, &page, &rules, &reasons)?;
        let shown = hits.iter().map(|hit| hit.id.as_str());
        let next = cursor.and(shown);
        let left = || allowed.numbers().iter().filter_map(|n| state.ids.get(&n));
        // Only near the end it has to be counted.
        let more = hits.len() == request.limit
            && (allowed.numbers().len() > next.len() || left().any(|id| !next.has_shown(id)));
        Ok(RecommendResponse {
            next_cursor: more.then(|| next.encode(&asked)).flatten(),
            sources: used(&blend, &history, &found),
            blend: blend.used(),
            fallbacks,
            diversity: page.diversity,
            rules: rules.told(&state, hits.iter().map(|hit| hit.id.as_str())),
            history: history.items.len() as u64,
            hits,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// The blend that a request asks for.
    pub(super) fn blend(&self, spec: Option<&BlendSpec>) -> Result<Arc<BlendModel>> {
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
        let invalid = |at: &str, detail: &str| Err(Error::invalid(format!("/blend/{at}"), detail));
        match (method, weights, learned) {
            (BlendMethod::Rrf, None, _) => Ok(Arc::new(BlendModel::rrf())),
            (BlendMethod::Rrf, Some(weights), _) => Ok(Arc::new(BlendModel::rrf_with(weights))),
            (BlendMethod::Weighted, Some(weights), learned) => {
                Ok(Arc::new(BlendModel::weighted(learned.as_deref(), weights)))
            }
            (BlendMethod::Weighted, None, _) => invalid(
                "weights",
                "is missing: give a weight by source, such as {\"content\": 1}",
            ),
            (BlendMethod::Learned, Some(_), _) => invalid(
                "weights",
                "does not go with the method `learned`, whose weights are learned; use `weighted`",
            ),
            (BlendMethod::Learned, None, Some(learned)) => Ok(learned),
            (BlendMethod::Learned, None, None) => invalid(
                "method",
                "nothing was learned for this collection yet: run `vitrine-indexer train blend`, or use `rrf` or `weighted`",
            ),
        }
    }

    /// Records, contributions and reasons of a page.
    fn hits(
        &self,
        state: &State,
        page: &Page,
        rules: &Acting,
        reasons: &Reasons<'_>,
    ) -> Result<Vec<RecommendHit>> {
        let explained = self.explained(state, &page.hits, reasons)?;
        let mut groups = page.groups.iter().cloned();
        let hits = explained
            .into_iter()
            .map(|(ranked, item, reason)| RecommendHit {
                id: item.id.clone(),
                score: ranked.score,
                contributions: contributions(ranked),
                reason: match rules.stage.is_pinned(ranked.candidate.item) {
                    true => pinned(),
                    false => reason,
                },
                group: groups.next().flatten(),
                item,
            });
        Ok(hits.collect())
    }

    /// Each with its record and its reason; all records are read at once.
    pub(super) fn explained<'a>(
        &self,
        state: &State,
        ranked: &'a [Ranked],
        reasons: &Reasons<'_>,
    ) -> Result<Vec<(&'a Ranked, Item, vitrine_schemas::Reason)>> {
        let live = ranked.iter().filter_map(|hit| {
            let id = state.ids.get(&hit.candidate.item)?;
            Some((hit, id.as_str(), reasons.ground(hit, id)))
        });
        let live: Vec<_> = live.collect();
        let mut ids: Vec<&str> = live.iter().map(|(_, id, _)| *id).collect();
        let grounds = live.iter().flat_map(|(_, _, ground)| &ground.items);
        ids.extend(grounds.map(String::as_str));
        ids.sort_unstable();
        ids.dedup();
        let records = self.load_many(state, &ids)?.into_iter().flatten();
        let mut records: HashMap<String, Item> = records.map(|r| (r.id.clone(), r)).collect();
        let titles: HashMap<String, String> = records
            .iter()
            .filter_map(|(id, item)| Some((id.clone(), item.title.clone()?)))
            .collect();
        let ids: Vec<String> = live.iter().map(|(_, id, _)| (*id).to_owned()).collect();
        let told = live
            .into_iter()
            .zip(ids)
            .filter_map(|((hit, _, ground), id)| {
                Some((hit, records.remove(&id)?, ground.told(&titles)))
            });
        Ok(told.collect())
    }
}

/// What a hit's score is made of.
pub(super) fn contributions(hit: &Ranked) -> Vec<Contribution> {
    let part = |(source, score): (Source, f32)| {
        let signal = hit.candidate.signals.get(source);
        Contribution {
            source,
            rank: signal.filter(|s| s.rank > 0).map(|s| u64::from(s.rank)),
            raw: signal.map_or(0.0, |s| s.score),
            score,
        }
    };
    hit.parts().into_iter().map(part).collect()
}

fn used(blend: &BlendModel, history: &History, found: &Found) -> Vec<SourceUse> {
    let counts = found.counts.iter();
    counts
        .map(|(source, candidates)| SourceUse {
            source: *source,
            weight: blend.weight(*source, history.evidence()),
            candidates: *candidates,
        })
        .collect()
}

/// What may be shown at all.
fn allowed(
    state: &State,
    request: &RecommendRequest,
    matching: Arc<Allowed>,
    history: &History,
    fallbacks: &mut Vec<Fallback>,
) -> Result<Arc<Allowed>> {
    let mut out = &history.excluded | state.expired()?;
    if request.exclude_out_of_stock {
        out |= state.out_of_stock()?;
    }
    let within = within(state, request, history, fallbacks)?;
    if within.is_none() && out.is_disjoint(matching.numbers()) {
        return Ok(matching);
    }
    let mut numbers = matching.numbers() - out;
    if let Some(within) = within {
        numbers &= within;
    }
    Ok(Arc::new(Allowed::from(numbers)))
}

/// Items of the categories that are asked for; None for all.
fn within(
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
    let liked = history.liked().take(RECENT);
    let numbers: RoaringBitmap = liked
        .filter_map(|given| state.numbers.get(&given.id))
        .copied()
        .collect();
    let (mut same, mut all) = (RoaringBitmap::new(), RoaringBitmap::new());
    for category in state.categories.values() {
        all |= category;
        if !category.is_disjoint(&numbers) {
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

/// What a request asks for, but for the size and the place of the page.
fn without_page(request: &RecommendRequest) -> String {
    let same = RecommendRequest {
        limit: 0,
        cursor: None,
        ..request.clone()
    };
    serde_json::to_string(&same).unwrap_or_default()
}

/// Candidates of each source that a request starts with.
fn first_count(request: &RecommendRequest) -> usize {
    match request.diversify {
        None => LEAST.max(request.limit * PER_HIT),
        Some(_) => diversify::LEAST.max(request.limit * diversify::PER_HIT),
    }
    .min(MOST_COUNT)
}

/// The newest items that no other source gave and no page showed, where those are too few.
fn add_newest(
    found: &mut Found,
    state: &State,
    allowed: &Allowed,
    cursor: &Cursor,
    stage: &Stage,
    missing: usize,
    request: &RecommendRequest,
) {
    let question = &mut found.question;
    let given: RoaringBitmap = question.candidates.iter().map(|c| c.item).collect();
    let fresh = |n: &u32| {
        let id = state.ids.get(n);
        !given.contains(*n) && id.is_some_and(|id| !cursor.has_shown(id))
    };
    // Of a group one alone is shown, so it takes more.
    let grouped = request
        .diversify
        .as_ref()
        .is_some_and(|d| d.group_by.is_some());
    let most = if grouped { MOST_COUNT } else { missing };
    let from = |buried: bool| {
        let newest = allowed.numbers().iter().rev();
        newest.filter(move |n| stage.is_buried(*n) == buried)
    };
    let newest = from(false).chain(from(true));
    let newest: Vec<u32> = newest.filter(fresh).take(most).collect();
    if newest.is_empty() {
        return;
    }
    found.fallbacks.push(Fallback::Newest);
    found.counts.insert(Source::Newest, newest.len() as u64);
    question.append(Source::Newest, &newest);
}

fn check_lists(request: &RecommendRequest) -> Result<()> {
    let lists = [
        ("/positives", request.positives.len()),
        ("/negatives", request.negatives.len()),
        ("/categories", request.categories.len()),
    ];
    for (at, len) in lists {
        if len > MOST_GIVEN {
            return Err(Error::invalid(
                at,
                format!("has {len} items, at most {MOST_GIVEN}"),
            ));
        }
    }
    check_given("/positives", &request.positives)?;
    check_given("/negatives", &request.negatives)
}

fn check_given(at: &str, given: &[WeightedItem]) -> Result<()> {
    let wrong = |w: f32| !(w.is_finite() && w > 0.0 && w <= MOST_WEIGHT);
    match given.iter().position(|p| wrong(p.weight)) {
        Some(i) => Err(Error::invalid(
            format!("{at}/{i}/weight"),
            "must be above 0 and at most 1000000; what speaks against goes into `negatives`",
        )),
        None => Ok(()),
    }
}

fn check_weights(weights: &std::collections::BTreeMap<Source, f32>) -> Result<()> {
    for (source, weight) in weights {
        if *source == Source::Rules {
            let detail = "has no weight: a rule says itself what it counts";
            return Err(Error::invalid("/blend/weights/rules", detail));
        }
        if !(0.0..=1000.0).contains(weight) {
            let name = serde_json::to_value(source).unwrap_or_default();
            return Err(Error::invalid(
                format!("/blend/weights/{}", name.as_str().unwrap_or_default()),
                format!("is {weight}: must be 0 to 1000"),
            ));
        }
    }
    if weights.values().all(|w| *w == 0.0) {
        return Err(Error::invalid(
            "/blend/weights",
            "needs a source with a weight above 0",
        ));
    }
    Ok(())
}
