//! Items like an item: near to it, and across categories those that its people chose too.

use std::{collections::HashMap, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    DiversifySpec, FilterSpec, Hit, Reason, SearchResponse, SimilarParams, Source, SourceUse,
    search::Scope,
};

use super::{
    Collection, State, blended::Choosing, diversify, reader::check_limit, recommend::contributions,
};
use crate::{
    Error, Result, Target, VectorSearch,
    cf::Scored,
    distance,
    query::blend::{BlendModel, Question, Ranked},
};

/// Items that the same people chose, with how near they are and how many people that were.
type Bridges = HashMap<u32, (f32, u32)>;

impl Collection {
    /// Items near to an item, in its own category, in others or anywhere. Gives up at `deadline`.
    ///
    /// In other categories, items that the same people chose are among the candidates: bridges that content cannot see.
    pub fn similar(
        &self,
        id: &str,
        params: &SimilarParams,
        deadline: Option<Instant>,
    ) -> Result<SearchResponse> {
        let state = self.state.read();
        let scope = match params.scope {
            Scope::Any => None,
            scope => Some(self.scope(&state, id, scope)?),
        };
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
        let diversify = diversity(params);
        if let Some(spec) = &diversify {
            diversify::check(spec, &state)?;
        }
        let (bridges, evidence) = match params.scope {
            Scope::Cross => self.bridges(&state, id, &request, scope.as_ref())?,
            Scope::Any | Scope::Same => Default::default(),
        };
        if bridges.is_empty() && diversify.is_none() {
            return self.execute(&state, &request, scope.as_ref());
        }
        let around = Around {
            id,
            request: &request,
            scope: scope.as_ref(),
            bridges,
            evidence,
        };
        self.around(&state, &around, diversify.as_ref())
    }

    /// The items of the same category, or of all others.
    fn scope(&self, state: &State, id: &str, scope: Scope) -> Result<RoaringBitmap> {
        let category = self.load(state, id, false)?.category.ok_or_else(|| {
            Error::invalid(
                "/scope",
                format!("item `{id}` has no category; use scope any"),
            )
        })?;
        let same = state.categories.get(&category).cloned().unwrap_or_default();
        if scope == Scope::Same {
            return Ok(same);
        }
        let all = state.categories.values();
        Ok(all.fold(RoaringBitmap::new(), |all, c| all | c) - same)
    }

    /// What the people of an item chose too, and the events that say so.
    fn bridges(
        &self,
        state: &State,
        id: &str,
        request: &VectorSearch,
        scope: Option<&RoaringBitmap>,
    ) -> Result<(Bridges, f32)> {
        let log = self.behaviour.log.read();
        let (Some(model), Some(number)) = (self.behaviour.model(), log.number(id)) else {
            return Ok(Default::default());
        };
        let allowed = state.allowed(request.filter.as_ref())?;
        let may = |n: &u32| allowed.numbers().contains(*n) && scope.is_none_or(|s| s.contains(*n));
        let neighbors = model.live().item_knn.neighbors(number);
        let bridges = neighbors.iter().filter_map(|neighbor| {
            let number = state
                .numbers
                .get(log.name(neighbor.item))
                .filter(|n| may(n))?;
            Some((*number, (neighbor.similarity, neighbor.users)))
        });
        Ok((bridges.collect(), log.daily.count(number) as f32))
    }

    fn around(
        &self,
        state: &State,
        around: &Around<'_>,
        spec: Option<&DiversifySpec>,
    ) -> Result<SearchResponse> {
        let started = Instant::now();
        let request = around.request;
        check_limit(request.limit)?;
        // How many people a bridge rests on is in its similarity.
        let mut blend = BlendModel::rrf();
        blend.item_evidence = 0.0;
        let choosing = Choosing {
            request,
            scope: around.scope,
            out: &RoaringBitmap::new(),
            blend: &blend,
            diversify: spec,
        };
        let page = self.blended(state, &choosing, |near| around.question(state, &near.hits))?;
        let mut hits = self.told(state, around, &page.hits)?;
        for (hit, group) in hits.iter_mut().zip(page.groups) {
            hit.group = group;
        }
        let sources = [
            (Source::Query, page.near.hits.len()),
            (Source::Behavior, around.bridges.len()),
        ];
        let used = sources
            .into_iter()
            .filter(|(_, candidates)| *candidates > 0);
        Ok(SearchResponse {
            hits,
            sources: used
                .map(|(source, candidates)| SourceUse {
                    source,
                    weight: blend.weight(source, around.evidence),
                    candidates: candidates as u64,
                })
                .collect(),
            blend: Some(blend.used()),
            diversity: page.diversity,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            ..page.near.answer(request)
        })
    }

    /// Hits with their records and the reason for each: a bridge, or likeness.
    fn told(&self, state: &State, around: &Around<'_>, chosen: &[Ranked]) -> Result<Vec<Hit>> {
        let mut ids = vec![around.id];
        let live = chosen
            .iter()
            .filter_map(|hit| state.ids.get(&hit.candidate.item));
        ids.extend(live.map(String::as_str));
        let mut records = self.load_many(state, &ids)?.into_iter();
        let own = records.next().flatten().and_then(|item| item.title);
        let title = own.unwrap_or_else(|| around.id.to_owned());
        let hit = |(ranked, item): (&Ranked, Option<vitrine_schemas::Item>)| {
            let item = item?;
            let main = ranked.parts().first().map(|(source, _)| *source);
            let people = around
                .bridges
                .get(&ranked.candidate.item)
                .map(|(_, people)| *people);
            let (code, text) = match (main, people) {
                (Some(Source::Behavior), Some(people)) => (
                    "bridge",
                    format!("{people} people who chose {title} chose this too"),
                ),
                _ => ("similar", format!("Similar to {title}")),
            };
            Some(Hit {
                highlights: Vec::new(),
                id: item.id.clone(),
                score: ranked.score,
                contributions: contributions(ranked),
                reason: Some(Reason {
                    code: code.to_owned(),
                    items: vec![around.id.to_owned()],
                    text,
                }),
                group: None,
                item,
            })
        };
        Ok(chosen.iter().zip(records).filter_map(hit).collect())
    }
}

/// What is looked for around an item.
struct Around<'a> {
    id: &'a str,
    request: &'a VectorSearch,
    scope: Option<&'a RoaringBitmap>,
    bridges: Bridges,
    /// Events with the item.
    evidence: f32,
}

impl Around<'_> {
    fn question(&self, state: &State, near: &[(u32, f32)]) -> Result<Question> {
        let scored = |(item, score): (u32, f32)| Scored { item, score };
        let near = near.iter().copied().map(scored).collect();
        let mut over: Vec<_> = self
            .bridges
            .iter()
            .map(|(n, (s, _))| scored((*n, *s)))
            .collect();
        over.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        let lists = [(Source::Query, near), (Source::Behavior, over)];
        let mut question = Question::of(self.evidence, &lists);
        let index = state.space(&self.request.space)?;
        let metric = state
            .config
            .vectors
            .get(&self.request.space)
            .map(|s| s.metric);
        let own = state.numbers.get(self.id).and_then(|n| index.vector(*n));
        if let (Some(metric), Some(own)) = (metric, own) {
            question.complete(Source::Query, |item| {
                let distance = distance::distance(metric, &own, &index.vector(item)?);
                Some(distance::score(metric, distance))
            });
        }
        Ok(question)
    }
}

/// What the query string says of diversity.
fn diversity(params: &SimilarParams) -> Option<DiversifySpec> {
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
