//! Pages of what is near to a query, in the order of a blend.

use roaring::RoaringBitmap;
use vitrine_schemas::{DiversifySpec, DiversityUse, Group};

use super::{Collection, State, diversify, search::Near};
use crate::{
    Result, VectorSearch,
    query::blend::{BlendModel, Question, Ranked},
};

/// Candidates for each hit, and at least: what is nearer than them is not outdone by other sources.
pub(super) const PER_HIT: usize = 5;
pub(super) const LEAST: usize = 100;

/// What a page is chosen from.
pub(super) struct Choosing<'a> {
    pub request: &'a VectorSearch,
    /// What alone may be found; None for all.
    pub scope: Option<&'a RoaringBitmap>,
    /// What may not.
    pub out: &'a RoaringBitmap,
    pub blend: &'a BlendModel,
    pub diversify: Option<&'a DiversifySpec>,
}

/// A page, and what it was chosen from.
pub(super) struct Blended {
    pub near: Near,
    pub hits: Vec<Ranked>,
    /// The group of each hit, where the page is grouped.
    pub groups: Vec<Option<Group>>,
    pub diversity: Option<DiversityUse>,
}

impl Collection {
    /// The best of what is near by what `question` says of it. Looks farther where too little is diverse enough.
    pub(super) fn blended(
        &self,
        state: &State,
        choosing: &Choosing<'_>,
        question: impl Fn(&Near) -> Result<Question>,
    ) -> Result<Blended> {
        let (request, blend) = (choosing.request, choosing.blend);
        let limit = request.limit;
        let Some(spec) = choosing.diversify else {
            let count = LEAST.max(limit * PER_HIT);
            let near = self.nearest(state, request, choosing.scope, count, choosing.out)?;
            let mut hits = blend.rank(&question(&near)?);
            hits.truncate(limit);
            return Ok(Blended {
                groups: vec![None; hits.len()],
                diversity: None,
                near,
                hits,
            });
        };
        let mut count = diversify::LEAST.max(limit * diversify::PER_HIT);
        loop {
            let near = self.nearest(state, request, choosing.scope, count, choosing.out)?;
            let all = near.hits.len() < count || count >= diversify::MOST;
            let ranked = blend.rank(&question(&near)?);
            let scored: Vec<_> = ranked.iter().map(|r| (r.candidate.item, r.score)).collect();
            let of = diversify::Ranking {
                ranked: &scored,
                shown: &|_| false,
                allowed: near.allowed.numbers(),
                space: Some(request.space.as_str()),
            };
            let page = self.page(state, spec, &of, limit)?;
            if page.is_short(limit) && !all {
                count = (count * 4).min(diversify::MOST);
                continue;
            }
            return Ok(Blended {
                hits: page.places.iter().map(|at| ranked[*at]).collect(),
                groups: page.groups,
                diversity: Some(page.used),
                near,
            });
        }
    }
}
