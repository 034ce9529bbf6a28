//! Searches that know the shopper: what is near to the query, in the order that behaviour and popularity give it too.

use std::time::Instant;

use vitrine_schemas::{
    BlendMethod, BlendSpec, DiversifySpec, Fallback, Hit, SearchResponse, Source, SourceUse,
};

use super::{Collection, blended::Choosing, diversify, reader::check_limit, recommend};
use crate::{
    Result, VectorSearch,
    cf::Scored,
    query::blend::{BlendModel, Calibration, Part, Question},
};

/// Who searches, and what the page shall be like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shopper {
    /// User, as in events.
    pub user: Option<String>,
    /// Visit, as in events.
    pub session: Option<String>,
    /// How the sources are joined.
    pub blend: Option<BlendSpec>,
    /// How unlike each other the hits shall be.
    pub diversify: Option<DiversifySpec>,
}

impl Shopper {
    /// Whether a search with it is like any other.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

impl Collection {
    /// Searches for a shopper: always min(limit, matches that they did not reject) hits. The score is the sum of the
    /// contributions.
    pub fn search_for(&self, request: &VectorSearch, shopper: &Shopper) -> Result<SearchResponse> {
        if shopper.is_nobody() {
            return self.search(request);
        }
        let started = Instant::now();
        check_limit(request.limit)?;
        let state = self.state.read();
        if let Some(spec) = &shopper.diversify {
            diversify::check(spec, &state)?;
        }
        let knows = recommend::Knowledge::of(self, &state, shopper, &request.space)?;
        let blend = self.blend(shopper.blend.as_ref())?;
        let blend = with_query(&blend, shopper);
        let choosing = Choosing {
            request,
            scope: None,
            out: knows.rejected(),
            blend: &blend,
            diversify: shopper.diversify.as_ref(),
        };
        let page = self.blended(&state, &choosing, |near| {
            let scored = |(item, score): &(u32, f32)| Scored {
                item: *item,
                score: *score,
            };
            let list = near.hits.iter().map(scored).collect();
            let mut question = Question::of(knows.evidence(), &[(Source::Query, list)]);
            knows.judge(&mut question, &blend);
            Ok(question)
        })?;
        let explained = self.explained(&state, &page.hits, &knows.reasons())?;
        let mut groups = page.groups.into_iter();
        let mut hits = Vec::with_capacity(explained.len());
        for (ranked, mut item, reason) in explained {
            if request.with_vectors {
                item.vectors = self.load(&state, &item.id, true)?.vectors;
            }
            hits.push(Hit {
                id: item.id.clone(),
                score: ranked.score,
                contributions: recommend::contributions(ranked),
                reason: Some(reason),
                group: groups.next().flatten(),
                item,
            });
        }
        Ok(SearchResponse {
            hits,
            sources: used(&blend, &page.question, knows.evidence()),
            blend: Some(blend.used()),
            fallbacks: fallbacks(shopper, &blend, &knows),
            diversity: page.diversity,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            ..page.near.answer(request)
        })
    }
}

/// The blend with a part for the query, where it has none of its own: it counts as much as all others together.
fn with_query(blend: &BlendModel, shopper: &Shopper) -> BlendModel {
    let mut blend = blend.clone();
    let given = shopper.blend.as_ref().is_some_and(|b| b.weights.is_some());
    if !given && blend.method == BlendMethod::Learned {
        blend.parts.entry(Source::Query).or_insert(Part {
            weight: 1.0,
            calibration: Calibration::RELATIVE,
        });
    }
    blend
}

fn used(blend: &BlendModel, question: &Question, evidence: f32) -> Vec<SourceUse> {
    let counted = Source::ALL.into_iter().map(|source| {
        let known = question.candidates.iter();
        let candidates = known.filter(|c| c.signals.get(source).is_some()).count() as u64;
        SourceUse {
            source,
            weight: blend.weight(source, evidence),
            candidates,
        }
    });
    counted.filter(|s| s.candidates > 0).collect()
}

fn fallbacks(
    shopper: &Shopper,
    blend: &BlendModel,
    knows: &recommend::Knowledge<'_>,
) -> Vec<Fallback> {
    let asked = shopper.user.is_some() || shopper.session.is_some();
    let all = [
        (asked && knows.evidence() == 0.0, Fallback::NoHistory),
        (!knows.has_model(), Fallback::NoModel),
        (
            shopper.blend.is_none() && blend.method == BlendMethod::Rrf,
            Fallback::NoLearnedBlend,
        ),
    ];
    let missing = all.into_iter().filter(|(missing, _)| *missing);
    missing.map(|(_, fallback)| fallback).collect()
}
