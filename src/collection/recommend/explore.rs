//! Exploration of a page: items with little evidence take the places of some of its hits.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;
use vitrine_schemas::{ExplorationUse, Group};

use crate::{
    Result,
    behavior::{Exposure, Log},
    collection::{
        Collection,
        ranking::{RankingRequest, cursor::Cursor, page::Page},
    },
    query::{
        blend::Ranked,
        explore::{ClickRates, Posterior, draw},
    },
};

/// Number of impressions and events of an item from which it is no longer explored.
const MAX_EVIDENCE: u32 = 100;

/// Maximum number of candidates from the ranking, and of others, the newest.
const MAX_RANKED: usize = 32;
const MAX_NEWEST: usize = 32;

/// Number of the newest eligible items among which candidates are looked for.
const NEWEST_LOOKED_AT: usize = 2_000;

/// Explored hits of a page.
#[derive(Debug, Default)]
pub(super) struct Explored {
    /// Number of items that they were drawn from.
    candidates: usize,
    /// Probability of each explored item to be on the page.
    propensities: HashMap<u32, f64>,
}

impl Explored {
    /// Returns true if an item is on the page by exploration.
    pub fn contains(&self, item: u32) -> bool {
        self.propensities.contains_key(&item)
    }

    /// Returns the probability with which an item of the page is on it: all other hits are certain,
    /// whichever items are explored.
    pub fn propensity(&self, item: u32) -> f64 {
        self.propensities.get(&item).copied().unwrap_or(1.0)
    }

    /// Returns the figures for a response.
    pub fn usage(&self) -> ExplorationUse {
        ExplorationUse {
            candidates: self.candidates as u64,
            explored: self.propensities.len() as u64,
        }
    }
}

/// A page to explore, with the ranking that it was selected from.
pub(super) struct Exploration<'a> {
    pub ranking: &'a RankingRequest<'a>,
    /// The whole ranking, best first.
    pub ranked: &'a [Ranked],
    pub log: &'a Log,
    /// Maximum number of explored hits.
    pub max_hits: usize,
    pub seed: u64,
}

/// An item that may be explored.
struct Candidate {
    hit: Ranked,
    click_rate: Posterior,
    group: Option<Group>,
}

impl Collection {
    /// Replaces hits of a page by explored ones: the last hits leave it, and come back on the next
    /// page.
    pub(super) fn explore(
        &self,
        exploration: &Exploration<'_>,
        page: &mut Page,
    ) -> Result<Explored> {
        let ranking = exploration.ranking;
        let is_pinned = |hit: &Ranked| ranking.merchandising.stage.is_pinned(hit.candidate.item);
        let positions = (1..page.hits.len()).filter(|index| !is_pinned(&page.hits[*index]));
        let free: Vec<usize> = positions.collect();
        let mut candidates = exploration.candidates(page);
        self.keep_one_of_each_group(exploration, page, &mut candidates)?;
        let click_rates: Vec<_> = candidates.iter().map(|c| c.click_rate).collect();
        let count = exploration.max_hits.min(free.len());
        let drawn = draw(&click_rates, count, exploration.seed);
        let item = |index: usize| candidates[index].hit.candidate.item;
        let explored = Explored {
            candidates: candidates.len(),
            propensities: drawn
                .iter()
                .map(|c| (item(c.index), c.propensity))
                .collect(),
        };
        let slots = spread(&free, drawn.len());
        let hits = drawn.iter().map(|c| &candidates[c.index]);
        let hits = hits.map(|candidate| (candidate.hit, candidate.group.clone()));
        replace(page, &slots, hits, is_pinned);
        Ok(explored)
    }

    /// Removes candidates of a group that this page, an earlier one or a better candidate
    /// represents, if hits are grouped, and sets the groups of the others.
    fn keep_one_of_each_group(
        &self,
        exploration: &Exploration<'_>,
        page: &Page,
        candidates: &mut Vec<Candidate>,
    ) -> Result<()> {
        let ranking = exploration.ranking;
        let Some(spec) = ranking.diversify.filter(|spec| spec.group_by.is_some()) else {
            return Ok(());
        };
        let group =
            |hit: &Ranked| self.group(ranking.state, spec, hit.candidate.item, ranking.eligible);
        let groups = page.groups.iter().flatten();
        let mut seen: HashSet<String> = groups.map(|group| group.value.clone()).collect();
        let ranked = exploration.ranked.iter();
        for hit in ranked.filter(|hit| ranking.was_shown(hit.candidate.item)) {
            seen.extend(group(hit)?.map(|group| group.value));
        }
        for candidate in candidates.iter_mut() {
            candidate.group = group(&candidate.hit)?;
        }
        candidates.retain(|candidate| match &candidate.group {
            Some(group) => seen.insert(group.value.clone()),
            None => true,
        });
        Ok(())
    }
}

impl Exploration<'_> {
    /// Returns the items with little evidence that the page does not show: those of the ranking
    /// that may have the best click rates, and the newest of those that no source found. If hits
    /// are grouped, only the former: later pages know the groups of ranked items alone.
    fn candidates(&self, page: &Page) -> Vec<Candidate> {
        let on_page: RoaringBitmap = page.hits.iter().map(|hit| hit.candidate.item).collect();
        let is_candidate = |item: u32| !on_page.contains(item) && self.may_be_explored(item);
        let exposures = self
            .ranked
            .iter()
            .map(|hit| self.exposure(hit.candidate.item));
        let rates = ClickRates::fit(exposures, self.log.exposures.total());
        let candidate = |hit: Ranked, rank: usize| Candidate {
            click_rate: Posterior::new(rates.at(rank), self.exposure(hit.candidate.item)),
            hit,
            group: None,
        };
        let ranked = self.ranked.iter().zip(0..);
        let ranked = ranked.filter(|(hit, _)| is_candidate(hit.candidate.item));
        let ranked = ranked.map(|(hit, rank)| candidate(*hit, rank));
        let mut candidates: Vec<Candidate> = ranked.collect();
        let upper_bound = |candidate: &Candidate| candidate.click_rate.upper_bound();
        // Stable, so that the ranking decides among equals.
        candidates.sort_by(|a, b| upper_bound(b).total_cmp(&upper_bound(a)));
        candidates.truncate(MAX_RANKED);
        if self.ranking.diversify.is_none_or(|d| d.group_by.is_none()) {
            let found: RoaringBitmap = self.ranked.iter().map(|hit| hit.candidate.item).collect();
            let newest = self.ranking.eligible.iter().rev().take(NEWEST_LOOKED_AT);
            let newest = newest.filter(|item| !found.contains(*item) && is_candidate(*item));
            let last = |item| candidate(Ranked::unscored(item), self.ranked.len());
            candidates.extend(newest.take(MAX_NEWEST).map(last));
        }
        candidates
    }

    /// Returns true for an item with little evidence that is neither pinned, buried nor on an
    /// earlier page.
    fn may_be_explored(&self, item: u32) -> bool {
        let stage = &self.ranking.merchandising.stage;
        let is_placed = stage.is_pinned(item) || stage.is_buried(item);
        !is_placed && !self.ranking.was_shown(item) && self.evidence(item) < MAX_EVIDENCE
    }

    /// Returns the number of impressions and events of an item.
    fn evidence(&self, item: u32) -> u32 {
        let log_id = self.log_id(item);
        let events = log_id.map_or(0, |id| self.log.daily.count(id));
        events.saturating_add(self.exposure(item).impressions)
    }

    fn exposure(&self, item: u32) -> Exposure {
        let log_id = self.log_id(item);
        log_id.map_or(Exposure::default(), |id| self.log.exposures.of(id))
    }

    fn log_id(&self, item: u32) -> Option<u32> {
        self.ranking.state.item_ids(self.log).log_id(item)
    }
}

/// Returns the seed of a page: the same page asked again has the same explored hits until an event
/// arrives. `key` is the request without limit and cursor.
pub(super) fn seed(key: &str, cursor: &Cursor, log: &Log) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&cursor.len().to_le_bytes());
    hasher.update(&log.end().to_le_bytes());
    hasher.update(key.as_bytes());
    let bytes = *hasher.finalize().as_bytes();
    u64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

/// Returns `count` of some positions, spread evenly among them.
fn spread(free: &[usize], count: usize) -> Vec<usize> {
    let at = |n: usize| free[(n + 1) * free.len() / (count + 1)];
    (0..count).map(at).collect()
}

/// Puts explored hits at some positions of a page. Pinned hits stay; the others keep their order,
/// and the last of them leave the page.
fn replace(
    page: &mut Page,
    slots: &[usize],
    mut explored: impl Iterator<Item = (Ranked, Option<Group>)>,
    is_pinned: impl Fn(&Ranked) -> bool,
) {
    let hits = std::mem::take(&mut page.hits);
    let groups = std::mem::take(&mut page.groups);
    let count = hits.len();
    let hits = hits.into_iter().zip(groups).enumerate();
    let (pinned, others): (Vec<_>, Vec<_>) = hits.partition(|(_, (hit, _))| is_pinned(hit));
    let mut pinned: HashMap<usize, _> = pinned.into_iter().collect();
    let mut others = others.into_iter().map(|(_, hit)| hit);
    let at = |index: usize| match slots.contains(&index) {
        true => explored.next(),
        false => pinned.remove(&index).or_else(|| others.next()),
    };
    (page.hits, page.groups) = (0..count).filter_map(at).unzip();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: std::ops::Range<u32>) -> Page {
        Page {
            groups: items.clone().map(|_| None).collect(),
            hits: items.map(Ranked::unscored).collect(),
            diversity: None,
            is_short: false,
        }
    }

    #[test]
    fn positions_are_spread_without_the_first() {
        let free: Vec<usize> = (1..10).collect();
        assert_eq!(spread(&free, 1), [5]);
        assert_eq!(spread(&free, 2), [4, 7]);
        assert_eq!(spread(&free, 9), free);
        assert!(spread(&[], 0).is_empty());
    }

    #[test]
    fn explored_hits_take_the_places_of_the_last_ones_but_not_of_pins() {
        let mut page = page(0..6);
        let explored = [10, 11].map(|item| (Ranked::unscored(item), None));
        let is_pinned = |hit: &Ranked| [2, 5].contains(&hit.candidate.item);
        replace(&mut page, &[1, 4], explored.into_iter(), is_pinned);
        let items: Vec<u32> = page.hits.iter().map(|hit| hit.candidate.item).collect();
        assert_eq!(items, [0, 10, 2, 1, 11, 5]);
        assert_eq!(page.groups.len(), 6);
    }
}
