//! Searches by vector, by words or by both, for a shopper who is known or not: candidates of each, one ranking, a page, and
//! what is told of it.

use std::{collections::HashSet, sync::Arc, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    BlendMethod, FacetsOver, Fallback, Hit, Item, RulePath, SearchExplanation, SearchFacets,
    SearchResponse, Source, SourceUse, Total, TotalRelation,
};

use super::{
    Collection, State,
    acting::{About, Acting, pinned},
    diversify,
    page::{Page, Paging},
    reader::check_limit,
    recommend::{self, Cursor, MOST_COUNT},
    search::Near,
    widen::widen,
    words,
};
use crate::{
    Error, Result, Search, Shopper, Target,
    cf::Scored,
    index::Allowed,
    lexical::Found,
    query::blend::{BlendModel, Question, Ranked},
};

/// Candidates for each hit, and at least: what is nearer than them is not outdone by other sources.
pub(super) const PER_HIT: usize = 5;
pub(super) const LEAST: usize = 100;

/// A search with what is known around it.
struct Asked<'a> {
    request: &'a Search,
    shopper: &'a Shopper,
    knows: recommend::Knowledge<'a>,
    /// How sources are joined; None where one alone ranks, by its own scores.
    blend: Option<BlendModel>,
    rules: Acting,
    /// All that may be on a page.
    allowed: Arc<Allowed>,
}

/// What may be on the page, ranked.
struct Pool {
    near: Option<Near>,
    words: Option<Found>,
    /// What was joined; empty where one source alone ranks.
    question: Question,
    /// As rules want it, with every pin.
    ranked: Vec<Ranked>,
    /// Whether there is nothing beyond it.
    is_all: bool,
}

impl Collection {
    /// Searches for a shopper: always min(limit, matches that they did not reject) hits. Where sources are joined, the score is
    /// the sum of the contributions.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers into the request, items and vectors that are not there, the deadline.
    pub fn find(&self, request: &Search, shopper: &Shopper) -> Result<SearchResponse> {
        if request.words.is_some() {
            self.refresh_words()?;
        }
        let path = RulePath::Search;
        self.find_in(&self.state.read(), request, shopper, None, path)
    }

    /// The same among the items in `scope`, as rules see a question of `path`. Words are those there were at the last refresh.
    pub(super) fn find_in(
        &self,
        state: &State,
        request: &Search,
        shopper: &Shopper,
        scope: Option<&RoaringBitmap>,
        path: RulePath,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        if let Some(spec) = &shopper.diversify {
            diversify::check(spec, state)?;
        }
        let asked = self.asked(state, request, shopper, scope, path)?;
        let mut cursor = Cursor::of(
            request.cursor.as_deref(),
            &request.asked,
            asked.first_count(),
        )?;
        // What was shown before takes places in a ranking that is cut to the page.
        let more = match asked.is_ranked_whole() {
            false => cursor.len() as usize,
            true => 0,
        };
        let ((pool, page), count) = widen(cursor.count, MOST_COUNT, |count| {
            let pool = self.pool(state, &asked, count + more)?;
            let page = self.chosen_page(state, &asked, &pool, &cursor)?;
            let is_enough = pool.is_all || !page.is_short;
            Ok(((pool, page), is_enough))
        })?;
        cursor.count = count;
        let hits = self.found_hits(state, &asked, &pool, &page)?;
        let next = cursor.and(hits.iter().map(|hit| hit.id.as_str()));
        let more =
            hits.len() == request.limit && (pool.ranked.len() as u64 > next.len() || !pool.is_all);
        let (total, facets) = (asked.total(&pool), asked.facets(state, &pool)?);
        Ok(SearchResponse {
            next_cursor: more.then(|| next.encode(&request.asked)).flatten(),
            total: Some(total),
            facets,
            corrections: pool
                .words
                .as_ref()
                .map(|w| w.corrections.clone())
                .unwrap_or_default(),
            synonyms: pool
                .words
                .as_ref()
                .map(|w| w.synonyms.clone())
                .unwrap_or_default(),
            understood: None,
            plan: pool.plan(),
            explain: request.explain.then(|| asked.explanation(state, &pool)),
            sources: asked.used(&pool.question),
            blend: asked.blend.as_ref().map(BlendModel::used),
            fallbacks: asked.fallbacks(),
            diversity: page.diversity,
            rules: asked
                .rules
                .told(state, hits.iter().map(|hit| hit.id.as_str())),
            hits,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    fn asked<'a>(
        &'a self,
        state: &'a State,
        request: &'a Search,
        shopper: &'a Shopper,
        scope: Option<&RoaringBitmap>,
        path: RulePath,
    ) -> Result<Asked<'a>> {
        if request.is_plain() && request.filter.is_none() && request.understood.is_none() {
            let detail = "has neither words, nor a vector, nor a filter";
            return Err(Error::invalid("/query", detail));
        }
        let space = request.target.as_ref().map(|_| request.space.as_str());
        let knows = recommend::Knowledge::of(self, state, shopper, space)?;
        let both = request.is_hybrid();
        let blend = match (both, shopper.is_unknown()) {
            (true, true) => Some(BlendModel::hybrid()),
            (false, true) if shopper.is_nobody() => None,
            _ => {
                let blend = self.blend(shopper.blend.as_ref())?;
                let is_given = shopper.blend.is_some();
                let is_empty = knows.evidence() == 0.0 && blend.method == BlendMethod::Rrf;
                // Ranks are worse than scores where there is nothing but words and a vector.
                Some(match both && is_empty && !is_given {
                    true => BlendModel::hybrid(),
                    false => with_query(&blend, shopper, both),
                })
            }
        };
        let mut allowed = state.allowed(request.filter.as_ref())?;
        let about = About {
            is_on: !request.without_rules,
            path,
            text: request.text.as_deref(),
            filters: [request.filter.as_ref(), request.understood.as_ref()],
            categories: &[],
            item: match &request.target {
                Some(Target::Item(id)) => Some(id),
                _ => None,
            },
        };
        let mut rules = self.acting(state, &about, allowed.numbers())?;
        let out = knows.rejected() | rules.hidden();
        if !out.is_disjoint(allowed.numbers()) {
            allowed = Arc::new(Allowed::from(allowed.numbers() - &out));
        }
        let within = request.understood.as_ref();
        let within = within.map(|f| state.matching(Some(f))).transpose()?;
        let within = match (within, scope) {
            (Some(within), Some(scope)) => Some(within & scope),
            (within, scope) => within.or_else(|| scope.cloned()),
        };
        let within = rules.scope(within);
        if let Some(within) = &within {
            allowed = Arc::new(Allowed::from(allowed.numbers() & within));
        }
        rules.keep_pins(allowed.numbers());
        Ok(Asked {
            request,
            shopper,
            knows,
            blend,
            rules,
            allowed,
        })
    }

    /// The best `count` of each source, ranked.
    fn pool(&self, state: &State, asked: &Asked<'_>, count: usize) -> Result<Pool> {
        let request = asked.request;
        let near = request
            .near()
            .map(|search| self.nearest(state, &search, &asked.allowed, count));
        let near = near.transpose()?;
        let settings = self.settings.now();
        let words = request.words.as_ref().map(|words| {
            let also = near.iter().flat_map(|near| &near.hits).map(|(n, _)| *n);
            self.lexical.search(
                words,
                &settings.wording,
                count,
                asked.allowed.numbers(),
                &also.collect(),
            )
        });
        let words = words.transpose()?;
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        if let Some(near) = &near {
            let scored = near.hits.iter().map(|(item, score)| Scored {
                item: *item,
                score: *score,
            });
            lists.push((Source::Query, scored.collect()));
        }
        if let Some(words) = &words {
            let scored = words.matches.iter().map(|m| Scored {
                item: m.number,
                score: m.score,
            });
            lists.push((Source::Lexical, scored.collect()));
        }
        if request.is_plain() {
            let latest = asked.allowed.numbers().iter().rev().take(count);
            lists.push((
                Source::Newest,
                latest.map(|item| Scored { item, score: 0.0 }).collect(),
            ));
        }
        let is_all = lists.iter().all(|(_, list)| list.len() < count);
        let mut question = Question::default();
        let ranked = match &asked.blend {
            None => plain(state, &lists),
            Some(blend) => {
                question = Question::of(asked.knows.evidence(), &lists);
                if let (Some(near), Some(words)) = (&near, &words) {
                    let score = |n: u32| words.also.get(&n).copied();
                    question.complete(Source::Lexical, score);
                    question.complete(Source::Query, |n| near.score(n));
                }
                asked.knows.judge(&mut question, blend);
                blend.rank(&question)
            }
        };
        let unfound = |number| match (&asked.blend, &near) {
            (None, Some(near)) => near.unfound(number),
            _ => Ranked::unfound(number),
        };
        let ranked = asked.rules.stage.applied(ranked, unfound);
        Ok(Pool {
            near,
            words,
            question,
            ranked,
            is_all,
        })
    }

    fn chosen_page(
        &self,
        state: &State,
        asked: &Asked<'_>,
        pool: &Pool,
        cursor: &Cursor,
    ) -> Result<Page> {
        let shown = |n: u32| state.ids.get(&n).is_some_and(|id| cursor.has_shown(id));
        let space = asked.request.target.as_ref();
        let paging = Paging {
            ranked: &pool.ranked,
            stage: &asked.rules.stage,
            shown: &shown,
            offset: cursor.len() as usize,
            limit: asked.request.limit,
            diversify: asked.shopper.diversify.as_ref(),
            allowed: asked.allowed.numbers(),
            space: space.map(|_| asked.request.space.as_str()),
            shares: &[],
        };
        self.page(state, &paging)
    }

    /// The hits of a page with their records, reasons and marked words.
    fn found_hits(
        &self,
        state: &State,
        asked: &Asked<'_>,
        pool: &Pool,
        page: &Page,
    ) -> Result<Vec<Hit>> {
        let terms = pool.words.iter().flat_map(|w| &w.terms).map(String::as_str);
        let terms: HashSet<&str> = terms.collect();
        let mut groups = page.groups.iter().cloned();
        let mut hits = Vec::with_capacity(page.hits.len());
        if asked.is_ranked_whole() {
            for (ranked, item, mut reason) in
                self.explained(state, &page.hits, &asked.knows.reasons())?
            {
                words::tell(&mut reason, &item, &terms);
                if asked.rules.stage.is_pinned(ranked.candidate.item) {
                    reason = pinned();
                }
                hits.push(Hit {
                    contributions: recommend::contributions(ranked),
                    reason: Some(reason),
                    ..hit(item, ranked.score)
                });
            }
        } else {
            let ids: Vec<_> = page
                .hits
                .iter()
                .filter_map(|one| Some(state.ids.get(&one.candidate.item)?.as_str()))
                .collect();
            let records = self.load_many(state, &ids)?;
            let found = page.hits.iter().zip(records);
            hits.extend(found.filter_map(|(one, item)| Some(hit(item?, one.score))));
        }
        for hit in &mut hits {
            hit.group = groups.next().flatten();
            if asked.request.highlight {
                hit.highlights = words::highlights(&hit.item, &terms);
            }
            if asked.request.with_vectors {
                hit.item.vectors = self.load(state, &hit.id, true)?.vectors;
            }
        }
        Ok(hits)
    }
}

impl Asked<'_> {
    /// Whether places depend on more than one source's scores, so that a page is taken from more than fits on it, and hits tell
    /// what their scores are made of.
    fn is_ranked_whole(&self) -> bool {
        self.blend.is_some() || !self.rules.stage.is_empty()
    }

    fn pins(&self) -> RoaringBitmap {
        let pins = self.rules.stage.pins.iter();
        pins.map(|pin| pin.number).collect()
    }

    fn first_count(&self) -> usize {
        let limit = self.request.limit;
        match self.shopper.diversify {
            Some(_) => diversify::LEAST.max(limit * diversify::PER_HIT),
            None if !self.is_ranked_whole() => limit,
            None => LEAST.max(limit * PER_HIT),
        }
    }

    fn total(&self, pool: &Pool) -> Total {
        let pins = self.pins();
        let (value, relation) = match (&pool.words, &pool.near) {
            (Some(words), None) => (words.all.union_len(&pins), TotalRelation::Eq),
            (Some(words), Some(_)) => (words.all.union_len(&pool.numbers()), TotalRelation::Gte),
            (None, Some(near)) => {
                let without = pins.iter().filter(|n| near.score(*n).is_none());
                (near.matching() + without.count() as u64, TotalRelation::Eq)
            }
            (None, None) => (self.allowed.numbers().len(), TotalRelation::Eq),
        };
        Total { value, relation }
    }

    fn facets(&self, state: &State, pool: &Pool) -> Result<Option<SearchFacets>> {
        if self.request.facets.is_empty() {
            return Ok(None);
        }
        let matches = || match (&pool.words, &pool.near) {
            (Some(words), None) => &words.all | self.pins(),
            (Some(words), Some(_)) => &words.all | pool.numbers(),
            (None, Some(near)) => near.members() & self.allowed.numbers() | self.pins(),
            (None, None) => self.allowed.numbers().clone(),
        };
        let among = match self.request.facets_over {
            FacetsOver::Matches => matches(),
            FacetsOver::Candidates => pool.numbers(),
        };
        Ok(Some(SearchFacets {
            over: self.request.facets_over,
            items: among.len(),
            fields: state.facets(&self.request.facets, &among)?,
        }))
    }

    fn explanation(&self, state: &State, pool: &Pool) -> SearchExplanation {
        let words = pool.words.as_ref();
        let lexical = || {
            let matching = self.allowed.numbers().len();
            SearchExplanation {
                plan: String::new(),
                matching,
                members: state.live.len(),
                selectivity: matching as f64 / state.live.len().max(1) as f64,
                compared: words.map_or(0, |w| w.all.len()),
            }
        };
        SearchExplanation {
            plan: pool.plan(),
            ..pool.near.as_ref().map_or_else(lexical, Near::explanation)
        }
    }

    fn used(&self, question: &Question) -> Vec<SourceUse> {
        let Some(blend) = &self.blend else {
            return Vec::new();
        };
        let counted = Source::ALL.into_iter().map(|source| {
            let known = question.candidates.iter();
            let candidates = known.filter(|c| c.signals.get(source).is_some()).count() as u64;
            SourceUse {
                source,
                weight: blend.weight(source, self.knows.evidence()),
                candidates,
            }
        });
        counted.filter(|s| s.candidates > 0).collect()
    }

    fn fallbacks(&self) -> Vec<Fallback> {
        if self.shopper.is_nobody() {
            return Vec::new();
        }
        let shopper = self.shopper;
        let asked = shopper.user.is_some() || shopper.session.is_some();
        let method = self.blend.as_ref().map(|b| b.method);
        let is_rrf = method == Some(BlendMethod::Rrf);
        let all = [
            (asked && self.knows.evidence() == 0.0, Fallback::NoHistory),
            (!self.knows.has_model(), Fallback::NoModel),
            (shopper.blend.is_none() && is_rrf, Fallback::NoLearnedBlend),
        ];
        let missing = all.into_iter().filter(|(missing, _)| *missing);
        missing.map(|(_, fallback)| fallback).collect()
    }
}

impl Pool {
    fn numbers(&self) -> RoaringBitmap {
        self.ranked.iter().map(|one| one.candidate.item).collect()
    }

    fn plan(&self) -> String {
        let near = self.near.as_ref().map(|near| near.plan());
        let words = self.words.as_ref().map(|_| "lexical");
        let plans: Vec<_> = near.into_iter().chain(words).collect();
        match plans.is_empty() {
            true => "filter".into(),
            false => plans.join("+"),
        }
    }
}

/// One source's list, equal scores in the order of ids; what only a filter chose as it comes, the latest first.
fn plain(state: &State, lists: &[(Source, Vec<Scored>)]) -> Vec<Ranked> {
    let all = lists.iter().flat_map(|(source, list)| {
        let ranked = list.iter().zip(1..);
        ranked.map(|(s, rank)| Ranked::alone(*source, s.item, s.score, rank))
    });
    let mut ranked: Vec<_> = all.collect();
    if lists.iter().any(|(source, _)| *source == Source::Newest) {
        return ranked;
    }
    ranked.sort_by(|a, b| {
        let id = |one: &Ranked| state.ids.get(&one.candidate.item);
        b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b)))
    });
    ranked
}

fn hit(item: Item, score: f32) -> Hit {
    Hit {
        id: item.id.clone(),
        score,
        contributions: Vec::new(),
        reason: None,
        highlights: Vec::new(),
        group: None,
        item,
    }
}

/// The blend as searches use it, unless the request has weights of its own.
fn with_query(blend: &BlendModel, shopper: &Shopper, both: bool) -> BlendModel {
    let given = shopper.blend.as_ref().is_some_and(|b| b.weights.is_some());
    match given {
        true => blend.clone(),
        false => blend.for_search(both),
    }
}
