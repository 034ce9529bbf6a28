//! One page of a ranking: what was not shown before, pins at their places, as unlike each other as was asked for.

use roaring::RoaringBitmap;
use vitrine_schemas::{DiversifySpec, DiversityUse, Group};

use super::{Collection, State, diversify};
use crate::{
    Result,
    query::blend::Ranked,
    rules::{Stage, placed, places},
};

/// What a page is taken from.
pub(super) struct Paging<'a> {
    /// The best first; every pin is there.
    pub ranked: &'a [Ranked],
    /// What rules did and where they want pins.
    pub stage: &'a Stage,
    /// What was on a page before.
    pub shown: &'a dyn Fn(u32) -> bool,
    /// Hits on pages before.
    pub offset: usize,
    pub limit: usize,
    pub diversify: Option<&'a DiversifySpec>,
    /// Of what groups are counted.
    pub allowed: &'a RoaringBitmap,
    /// Where likeness is measured unless told.
    pub space: Option<&'a str>,
    /// Parts of the catalog of which each gets as many hits as any other, where there are several.
    pub shares: &'a [RoaringBitmap],
}

/// A page.
pub(super) struct Page {
    pub hits: Vec<Ranked>,
    /// The group of each hit, where the page is grouped.
    pub groups: Vec<Option<Group>>,
    pub diversity: Option<DiversityUse>,
    /// Whether more candidates would make it better.
    pub is_short: bool,
}

impl Collection {
    /// Chooses a page.
    pub(super) fn page(&self, state: &State, of: &Paging<'_>) -> Result<Page> {
        let stage = of.stage;
        let due = stage.pins.iter().filter(|pin| !(of.shown)(pin.number));
        let positions: Vec<usize> = due.clone().map(|pin| pin.position).collect();
        let others = of.limit - places(&positions, of.offset, of.limit);
        let taken = |number: u32| stage.is_pinned(number) || (of.shown)(number);
        let mut diversity = None;
        let (chosen, is_short): (Vec<(Ranked, Option<Group>)>, bool) = match of.diversify {
            None => {
                let fresh = of.ranked.iter().filter(|r| !taken(r.candidate.item));
                let chosen: Vec<_> = fresh.take(others).map(|r| (*r, None)).collect();
                let kept = chosen.iter();
                let kept = kept.filter(|(r, _)| !stage.is_buried(r.candidate.item));
                let is_short = kept.count() < others;
                (chosen, is_short)
            }
            Some(spec) => {
                let ranking = diversify::Ranking {
                    ranked: of.ranked,
                    taken: &taken,
                    last: &|number| stage.is_buried(number),
                    allowed: of.allowed,
                    space: of.space,
                    shares: of.shares,
                };
                let page = self.diverse(state, spec, &ranking, others)?;
                let is_short = page.is_short(others);
                diversity = Some(page.used);
                let places = page.places.iter().map(|at| of.ranked[*at]);
                (places.zip(page.groups).collect(), is_short)
            }
        };
        let mut pins = Vec::new();
        for pin in due {
            let found = of.ranked.iter().find(|r| r.candidate.item == pin.number);
            if let Some(found) = found {
                let group = match of.diversify {
                    Some(spec) => self.group(state, spec, pin.number, of.allowed)?,
                    None => None,
                };
                pins.push((pin.position, (*found, group)));
            }
        }
        let page = placed(pins, chosen, of.offset, of.limit);
        let (hits, groups) = page.into_iter().unzip();
        Ok(Page {
            hits,
            groups,
            diversity,
            is_short,
        })
    }
}
