//! Items of other categories that go with an item: alike beside what their categories have in common, chosen by the same
//! people, popular in categories that people go to from its own.

use std::{collections::HashMap, sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    Fallback, FilterSpec, Group, Hit, Item, Reason, RulePath, SearchExplanation, SearchResponse,
    SimilarParams, Source, SourceUse,
};

use super::{
    Collection, State,
    acting::{About, Acting, pinned},
    centred::{Centred, Part},
    diversify,
    find::{LEAST, PER_HIT},
    page::{Page, Paging},
    reader::check_limit,
    recommend::contributions,
    similar::diversity,
    widen::widen,
};
use crate::{
    Error, Result,
    behaviour::{Log, Model},
    cf::Scored,
    cross::Transitions,
    index::Trace,
    query::blend::{BlendModel, Question, Ranked},
};

/// What part of a score must speak for the hit itself to be the reason for it.
const OWN: f32 = 0.1;

/// A question across categories.
struct Asked<'a> {
    id: &'a str,
    title: Option<String>,
    category: String,
    limit: usize,
    rules: Acting,
    /// What may be found, by category.
    parts: Vec<Part<'a>>,
    allowed: RoaringBitmap,
    /// What may be found of each category that was named, where it was more than one.
    targets: Vec<RoaringBitmap>,
    /// By content; None without a vector to compare.
    centred: Option<Centred>,
    transitions: Option<Arc<Transitions>>,
    deadline: Option<Instant>,
}

/// What behaviour says.
struct Behaviour<'a> {
    log: &'a Log,
    model: Option<&'a Model>,
    /// Items that the same people chose, with how near they are and how many people that were.
    bridges: HashMap<u32, (f32, u32)>,
    /// Events with the item.
    evidence: f32,
}

/// What a page is chosen from.
struct Pool {
    ranked: Vec<Ranked>,
    /// Place in `parts` of each candidate's category.
    part_of: HashMap<u32, usize>,
    counts: Vec<(Source, usize)>,
    trace: Option<Trace>,
    is_all: bool,
}

impl Collection {
    /// The answer to [`Collection::similar`] across categories.
    pub(super) fn cross(
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
        let asked = self.asked_across(state, id, params, deadline)?;
        if !asked.targets.is_empty() {
            spec.get_or_insert_default();
        }
        let log = self.behaviour.log.read();
        let model = self.behaviour.model();
        if asked.centred.is_none() && model.is_none() {
            return Err(Error::NoVector {
                id: id.to_owned(),
                space: params.space.clone(),
            });
        }
        let behaviour = Behaviour::around(id, state, &log, model.as_deref(), &asked.allowed);
        let events = model.as_ref().map_or(0, |m| m.info().interactions);
        let blend = BlendModel::cross(events as f32 / state.live.len().max(1) as f32);
        let (count, most) = match &spec {
            None if asked.rules.stage.is_empty() => (LEAST.max(asked.limit * PER_HIT), 0),
            None => (LEAST.max(asked.limit * PER_HIT), diversify::MOST),
            Some(_) => (
                diversify::LEAST.max(asked.limit * diversify::PER_HIT),
                diversify::MOST,
            ),
        };
        let ((pool, page), _) = widen(count, most, |count| {
            let pool = asked.pool(state, &behaviour, &blend, count)?;
            let paging = Paging {
                ranked: &pool.ranked,
                stage: &asked.rules.stage,
                shown: &|_| false,
                offset: 0,
                limit: asked.limit,
                diversify: spec.as_ref(),
                allowed: &asked.allowed,
                space: asked.centred.as_ref().map(|_| params.space.as_str()),
                shares: &asked.targets,
            };
            let page = self.page(state, &paging)?;
            let enough = pool.is_all || !page.is_short;
            Ok(((pool, page), enough))
        })?;
        let hits = self.told_across(state, &asked, &behaviour, &pool, &page)?;
        let used = pool.counts.iter().filter(|(_, candidates)| *candidates > 0);
        Ok(SearchResponse {
            plan: pool
                .trace
                .map_or("behavior", |trace| trace.plan.as_str())
                .to_owned(),
            explain: params.explain.then(|| asked.explanation(&pool)),
            sources: used
                .map(|(source, candidates)| SourceUse {
                    source: *source,
                    weight: blend.weight(*source, behaviour.evidence),
                    candidates: *candidates as u64,
                })
                .collect(),
            blend: Some(blend.used()),
            fallbacks: asked.fallbacks(model.is_some()),
            diversity: page.diversity,
            rules: asked
                .rules
                .told(state, hits.iter().map(|hit| hit.id.as_str())),
            hits,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            ..SearchResponse::default()
        })
    }

    fn asked_across<'a>(
        &self,
        state: &'a State,
        id: &'a str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<Asked<'a>> {
        let category = self.category(state, id)?;
        let filter = params.filter.clone().map(FilterSpec::Text);
        let matching = state.allowed(filter.as_ref())?;
        let about = About {
            is_on: params.rules,
            path: RulePath::Similar,
            text: None,
            filters: [filter.as_ref(), None],
            categories: &params.categories,
            item: Some(id),
        };
        let mut rules = self.acting(state, &about, matching.numbers())?;
        let matching = rules.restricted(matching);
        let named: Vec<RoaringBitmap> = params
            .categories
            .iter()
            .map(|path| state.in_categories(std::slice::from_ref(path)))
            .collect::<Result<_>>()?;
        let within =
            (!named.is_empty()).then(|| named.iter().fold(RoaringBitmap::new(), |all, n| all | n));
        let transitions = self.transitions(state);
        let others = state
            .categories
            .iter()
            .filter(|(path, _)| **path != category);
        let mut parts: Vec<Part<'_>> = others
            .map(|(path, numbers)| {
                let mut numbers = numbers & matching.numbers();
                if let Some(within) = &within {
                    numbers &= within;
                }
                let transitions = transitions.as_ref();
                let likely = transitions.and_then(|t| t.probability(&category, path));
                Part {
                    path,
                    likely,
                    numbers,
                }
            })
            .filter(|part| !part.numbers.is_empty())
            .collect();
        parts.sort_by(|a, b| {
            let likely = |part: &Part<'_>| part.likely.unwrap_or(0.0);
            let by_size = || b.numbers.len().cmp(&a.numbers.len());
            let by_prior = likely(b).total_cmp(&likely(a));
            by_prior.then_with(by_size).then_with(|| a.path.cmp(b.path))
        });
        let allowed = parts
            .iter()
            .fold(RoaringBitmap::new(), |all, part| all | &part.numbers);
        rules.keep_pins(&allowed);
        Ok(Asked {
            id,
            rules,
            centred: self.centred(state, id, &category, &params.space)?,
            title: self.load(state, id, false)?.title,
            category,
            limit: params.limit,
            parts,
            targets: match named.len() {
                0 | 1 => Vec::new(),
                _ => named.iter().map(|numbers| numbers & &allowed).collect(),
            },
            allowed,
            transitions,
            deadline,
        })
    }

    /// Hits with their records and the reason for each.
    fn told_across(
        &self,
        state: &State,
        asked: &Asked<'_>,
        behaviour: &Behaviour<'_>,
        pool: &Pool,
        page: &Page,
    ) -> Result<Vec<Hit>> {
        let live = page
            .hits
            .iter()
            .zip(&page.groups)
            .filter_map(|(hit, group)| {
                let id = state.ids.get(&hit.candidate.item)?;
                Some((id.as_str(), hit, group))
            });
        let live: Vec<_> = live.collect();
        let ids: Vec<&str> = live.iter().map(|(id, ..)| *id).collect();
        let records = self.load_many(state, &ids)?;
        let hit = |((_, ranked, group), item): (&(&str, &Ranked, &Option<Group>), Option<Item>)| {
            let item = item?;
            let part = pool.part_of.get(&ranked.candidate.item);
            let is_pinned = asked.rules.stage.is_pinned(ranked.candidate.item);
            let kind = part.map_or("", |part| asked.parts[*part].path.as_str());
            Some(Hit {
                id: item.id.clone(),
                score: ranked.score,
                contributions: contributions(ranked),
                reason: Some(match is_pinned {
                    true => pinned(),
                    false => asked.reason(ranked, kind, behaviour),
                }),
                highlights: Vec::new(),
                group: (*group).clone(),
                item,
            })
        };
        Ok(live.iter().zip(records).filter_map(hit).collect())
    }
}

impl Asked<'_> {
    /// All candidates with what every source says of them, ranked.
    fn pool(
        &self,
        state: &State,
        behaviour: &Behaviour<'_>,
        blend: &BlendModel,
        count: usize,
    ) -> Result<Pool> {
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        let (mut trace, mut is_all) = (None, true);
        if let Some(centred) = &self.centred {
            let near = centred.nearest(state, &self.parts, &self.targets, count, self.deadline)?;
            trace = Some(near.trace);
            is_all &= near.is_all;
            lists.push((Source::Query, near.hits));
        }
        lists.push((Source::Behavior, behaviour.over_bridges()));
        let popular = behaviour.popular(state, &self.allowed, &self.targets, count);
        is_all &= popular.len() < count;
        lists.push((Source::Popularity, popular));
        let mut counts: Vec<_> = lists.iter().map(|(s, list)| (*s, list.len())).collect();
        let mut question = Question::of(behaviour.evidence, &lists);
        let found: RoaringBitmap = question.candidates.iter().map(|c| c.item).collect();
        let mut part_of = HashMap::new();
        for (place, part) in self.parts.iter().enumerate() {
            let own = &part.numbers & &found;
            part_of.extend(own.iter().map(|number| (number, place)));
        }
        let part = |item: u32| part_of.get(&item).map(|place| &self.parts[*place]);
        if let Some(centred) = &self.centred {
            question.complete(Source::Query, |item| centred.score(part(item)?.path, item));
        }
        question.complete(Source::Popularity, |item| behaviour.popularity(state, item));
        question.complete(Source::Transition, |item| part(item)?.likely);
        let candidates = question.candidates.iter();
        let likely = candidates.filter(|c| c.signals.get(Source::Transition).is_some());
        counts.push((Source::Transition, likely.count()));
        let mut ranked = blend.rank(&question);
        ranked.sort_by(|a, b| {
            let by_id = || {
                let id = |hit: &Ranked| state.ids.get(&hit.candidate.item);
                id(a).cmp(&id(b))
            };
            b.score.total_cmp(&a.score).then_with(by_id)
        });
        Ok(Pool {
            ranked: self.rules.stage.applied(ranked, Ranked::unfound),
            part_of,
            counts,
            trace,
            is_all,
        })
    }

    /// Why a hit of a category is there: what adds most to its score.
    fn reason(&self, hit: &Ranked, kind: &str, behaviour: &Behaviour<'_>) -> Reason {
        let title = self.title.as_deref().unwrap_or(self.id);
        let (code, text) = match main(hit) {
            Source::Behavior => {
                let bridge = behaviour.bridges.get(&hit.candidate.item);
                let people = bridge.map_or(0, |(_, people)| *people);
                let text = format!("{people} people who chose {title} chose this too");
                ("bridge", text)
            }
            Source::Transition => {
                let transitions = self.transitions.as_ref();
                let people = transitions.map_or(0, |t| t.people(&self.category, kind));
                let own = &self.category;
                let text = format!("{people} people who chose from {own} chose from {kind} too");
                ("transition", text)
            }
            Source::Popularity => ("popular", format!("Popular in {kind}")),
            _ => ("similar", format!("Similar to {title}")),
        };
        Reason {
            code: code.to_owned(),
            items: vec![self.id.to_owned()],
            text,
        }
    }

    fn explanation(&self, pool: &Pool) -> SearchExplanation {
        match &pool.trace {
            Some(trace) => SearchExplanation::from(*trace),
            None => SearchExplanation {
                plan: "behavior".to_owned(),
                matching: 0,
                members: 0,
                selectivity: 0.0,
                compared: 0,
            },
        }
    }

    fn fallbacks(&self, has_model: bool) -> Vec<Fallback> {
        let transitions = self.transitions.as_ref();
        let all = [
            (!has_model, Fallback::NoModel),
            (self.centred.is_none(), Fallback::NoVectors),
            (
                transitions.is_none_or(|t| t.is_empty()),
                Fallback::NoTransitions,
            ),
        ];
        let missing = all.into_iter().filter(|(missing, _)| *missing);
        missing.map(|(_, fallback)| fallback).collect()
    }
}

impl<'a> Behaviour<'a> {
    fn around(
        id: &str,
        state: &State,
        log: &'a Log,
        model: Option<&'a Model>,
        allowed: &RoaringBitmap,
    ) -> Self {
        let number = log.number(id);
        let mut bridges = HashMap::new();
        if let (Some(model), Some(number)) = (model, number) {
            for neighbor in model.live().item_knn.neighbors(number) {
                let other = state.numbers.get(log.name(neighbor.item));
                if let Some(other) = other.filter(|n| allowed.contains(**n)) {
                    bridges.insert(*other, (neighbor.similarity, neighbor.users));
                }
            }
        }
        Self {
            log,
            model,
            bridges,
            evidence: number.map_or(0.0, |n| log.daily.count(n) as f32),
        }
    }

    fn over_bridges(&self) -> Vec<Scored> {
        let bridges = self.bridges.iter();
        let mut over: Vec<_> = bridges
            .map(|(item, (score, _))| Scored {
                item: *item,
                score: *score,
            })
            .collect();
        over.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        over
    }

    /// The most popular allowed items, of each target so many.
    fn popular(
        &self,
        state: &State,
        allowed: &RoaringBitmap,
        targets: &[RoaringBitmap],
        count: usize,
    ) -> Vec<Scored> {
        let Some(model) = self.model else {
            return Vec::new();
        };
        let mut left = vec![count; targets.len().max(1)];
        let mut open = left.len();
        let mut found = Vec::new();
        for scored in model.popular.order() {
            let number = state.numbers.get(self.log.name(scored.item));
            let Some(item) = number.copied().filter(|n| allowed.contains(*n)) else {
                continue;
            };
            let mut fits = false;
            for (place, left) in left.iter_mut().enumerate() {
                let is_in = targets
                    .get(place)
                    .is_none_or(|target| target.contains(item));
                if is_in && *left > 0 {
                    fits = true;
                    *left -= 1;
                    open -= usize::from(*left == 0);
                }
            }
            if fits {
                let score = scored.score;
                found.push(Scored { item, score });
            }
            if open == 0 {
                break;
            }
        }
        found
    }

    fn popularity(&self, state: &State, item: u32) -> Option<f32> {
        let number = self.log.number(state.ids.get(&item)?)?;
        self.model?.popular.score(number)
    }
}

/// The source that is the reason for a hit. Popularity and transitions speak for many others too: they are the reason only where
/// little else is.
fn main(hit: &Ranked) -> Source {
    let parts = hit.parts();
    let is_own = |source: &Source| matches!(source, Source::Query | Source::Behavior);
    let own = parts
        .iter()
        .find(|(source, part)| is_own(source) && *part >= OWN * hit.score);
    let found = || parts.iter().find(|(source, _)| *source != Source::Rules);
    own.or_else(found)
        .map_or(Source::Query, |(source, _)| *source)
}
