//! Selection of a page of a ranking: skips hits of earlier pages, diversifies, and places pins.

use vitrine_schemas::{DiversityUse, Group};

use crate::{
    Result,
    collection::{
        Collection,
        ranking::{RankingRequest, diversify::DiversityPool},
    },
    query::blend::Ranked,
    rules::{count_pins_on_page, interleave_pins},
};

/// A page.
pub(in crate::collection) struct Page {
    pub hits: Vec<Ranked>,
    /// The group of each hit, if the page is grouped.
    pub groups: Vec<Option<Group>>,
    pub diversity: Option<DiversityUse>,
    /// True if more candidates could make the page better.
    pub is_short: bool,
}

impl Page {
    /// Removes the first hits, which are on earlier pages.
    pub fn skip(&mut self, count: usize) {
        let count = count.min(self.hits.len());
        self.hits.drain(..count);
        self.groups.drain(..count);
    }
}

impl Collection {
    /// Selects a page of `ranked`, which is sorted best first and contains every pin.
    pub(super) fn page(&self, request: &RankingRequest<'_>, ranked: &[Ranked]) -> Result<Page> {
        let stage = &request.merchandising.stage;
        let offset = request.cursor.len() as usize;
        let pins = stage.pins.iter();
        let pins = pins.filter(|pin| !request.was_shown(pin.internal_id));
        let positions: Vec<usize> = pins.clone().map(|pin| pin.position).collect();
        let unpinned = request.limit - count_pins_on_page(&positions, offset, request.limit);
        let is_excluded = |id: u32| stage.is_pinned(id) || request.was_shown(id);
        let mut diversity = None;
        let (chosen, is_short): (Vec<(Ranked, Option<Group>)>, bool) = match request.diversify {
            None => {
                let fresh = ranked.iter().filter(|hit| !is_excluded(hit.candidate.item));
                let chosen: Vec<_> = fresh.take(unpinned).map(|hit| (*hit, None)).collect();
                let is_unburied = |hit: &Ranked| !stage.is_buried(hit.candidate.item);
                let unburied = chosen.iter().filter(|(hit, _)| is_unburied(hit));
                let is_short = unburied.count() < unpinned;
                (chosen, is_short)
            }
            Some(spec) => {
                let pool = DiversityPool {
                    ranked,
                    is_excluded: &is_excluded,
                    is_demoted: &|id| stage.is_buried(id),
                    eligible: request.eligible,
                    space: request.space,
                    quota_sets: request.quota_sets,
                };
                let selection = self.diverse(request.state, spec, &pool, unpinned)?;
                let is_short = selection.is_short(unpinned);
                diversity = Some(selection.usage);
                let hits = selection.offsets.iter().map(|at| ranked[*at]);
                (hits.zip(selection.groups).collect(), is_short)
            }
        };
        let mut pinned = Vec::new();
        for pin in pins {
            let hit = ranked.iter().find(|r| r.candidate.item == pin.internal_id);
            if let Some(hit) = hit {
                let group = match request.diversify {
                    Some(spec) => {
                        self.group(request.state, spec, pin.internal_id, request.eligible)?
                    }
                    None => None,
                };
                pinned.push((pin.position, (*hit, group)));
            }
        }
        let page = interleave_pins(pinned, chosen, offset, request.limit);
        let (hits, groups) = page.into_iter().unzip();
        Ok(Page {
            hits,
            groups,
            diversity,
            is_short,
        })
    }
}
