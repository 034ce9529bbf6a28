//! Diversity of a page: groups, quotas and unlikeness, from records and vectors of what was ranked.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;
use vitrine_schemas::{DiversifySpec, DiversityUse, Group, Item, Metric};

use super::{Collection, State};
use crate::{
    Error, Result, distance,
    query::{
        blend::Ranked,
        diversify::{Choice, Rules, choose},
    },
};

/// Candidates a page is chosen from at first, for each hit and at least; more are asked for where they do not do.
pub(super) const PER_HIT: usize = 10;
pub(super) const LEAST: usize = 200;

/// Candidates at most.
pub(super) const MOST: usize = 5_000;

/// Hits that may share a value, at most.
const MOST_QUOTA: usize = 1000;

/// Fields with a quota, at most.
const MOST_QUOTAS: usize = 8;

/// What a page is chosen from.
pub(super) struct Ranking<'a> {
    /// The best first.
    pub ranked: &'a [Ranked],
    /// What is on another page or has its place: it does not come again, nor does another of its group.
    pub taken: &'a dyn Fn(u32) -> bool,
    /// What comes only where nothing else is left.
    pub last: &'a dyn Fn(u32) -> bool,
    /// Of what groups are counted.
    pub allowed: &'a RoaringBitmap,
    /// Where likeness is measured unless told.
    pub space: Option<&'a str>,
    /// Parts of the catalog of which each gets as many hits as any other, where there are several.
    pub shares: &'a [RoaringBitmap],
}

impl Ranking<'_> {
    /// Hits that each share may have.
    fn most_of_share(&self, limit: usize) -> Option<usize> {
        (self.shares.len() > 1).then(|| limit.div_ceil(self.shares.len()))
    }

    /// The shares that an item counts for.
    fn shares_of(&self, number: u32) -> Vec<String> {
        let shares = self.shares.iter().enumerate();
        let own = shares.filter(|(_, share)| share.contains(number));
        own.map(|(place, _)| place.to_string()).collect()
    }
}

/// A part of a ranking.
pub(super) struct Diverse {
    /// Places in the ranking, in the order of the page.
    pub places: Vec<usize>,
    /// The group of each, where the page is grouped and the item has a value.
    pub groups: Vec<Option<Group>>,
    pub used: DiversityUse,
    /// How many of the places are of what comes last.
    last: usize,
}

impl Diverse {
    /// Whether more candidates would make it better.
    pub fn is_short(&self, limit: usize) -> bool {
        self.places.len() - self.last < limit || self.used.relaxed > 0
    }
}

/// Refuses what cannot be.
pub(super) fn check(spec: &DiversifySpec, state: &State) -> Result<()> {
    if spec.mmr.is_some_and(|mmr| !(0.0..=1.0).contains(&mmr)) {
        return Err(Error::invalid("/diversify/mmr", "must be 0 to 1"));
    }
    if spec.max_per.len() > MOST_QUOTAS {
        return Err(Error::invalid(
            "/diversify/max_per",
            format!("has {} fields, at most {MOST_QUOTAS}", spec.max_per.len()),
        ));
    }
    for (field, quota) in &spec.max_per {
        let at = format!("/diversify/max_per/{field}");
        state.payload.check_labels(&at, field)?;
        if !(1..=MOST_QUOTA).contains(quota) {
            return Err(Error::invalid(at, format!("must be 1 to {MOST_QUOTA}")));
        }
    }
    if let Some(field) = &spec.group_by {
        state.payload.check_labels("/diversify/group_by", field)?;
    }
    match &spec.space {
        Some(space) => state
            .space(space)
            .map(|_| ())
            .map_err(|e| e.under("/diversify")),
        None => Ok(()),
    }
}

impl Collection {
    /// Chooses as many as `limit`.
    pub(super) fn diverse(
        &self,
        state: &State,
        spec: &DiversifySpec,
        from: &Ranking<'_>,
        limit: usize,
    ) -> Result<Diverse> {
        let ranked = from.ranked;
        let labelled = !spec.max_per.is_empty() || spec.group_by.is_some();
        let records = match labelled {
            true => self.records(state, ranked)?,
            false => HashMap::new(),
        };
        let labels = |number: u32, field: &str| match records.get(&number) {
            Some(item) => state.payload.labels(field, item),
            None => Vec::new(),
        };
        // The best of each group; what has no value is no group and not left out.
        let group = |number: u32| {
            let field = spec.group_by.as_ref()?;
            labels(number, field).into_iter().next()
        };
        let (old, fresh): (Vec<_>, Vec<_>) = ranked
            .iter()
            .enumerate()
            .map(|(place, one)| (place, one.candidate.item))
            .partition(|(_, number)| (from.taken)(*number));
        let mut seen: HashSet<String> = old.iter().filter_map(|(_, n)| group(*n)).collect();
        let (mut places, mut last) = (Vec::new(), Vec::new());
        for (place, number) in fresh {
            let group = group(number);
            if group.as_ref().is_none_or(|g| seen.insert(g.clone())) {
                match (from.last)(number) {
                    false => places.push((place, group)),
                    true => last.push((place, group)),
                }
            }
        }
        let space = spec
            .space
            .as_deref()
            .or(from.space)
            .filter(|_| spec.mmr.is_some());
        let index = space.map(|s| state.space(s)).transpose()?;
        let metric = space
            .and_then(|s| state.config.vectors.get(s))
            .map(|s| s.metric);
        let shared = from.most_of_share(limit);
        let choices: Vec<Choice> = places
            .iter()
            .map(|(place, _)| {
                let number = ranked[*place].candidate.item;
                Choice {
                    score: ranked[*place].score,
                    vector: index.and_then(|i| i.vector(number)),
                    values: spec
                        .max_per
                        .keys()
                        .map(|field| labels(number, field))
                        .chain(shared.map(|_| from.shares_of(number)))
                        .collect(),
                }
            })
            .collect();
        let rules = Rules {
            mmr: spec.mmr,
            quotas: spec.max_per.values().copied().chain(shared).collect(),
        };
        let metric = metric.unwrap_or_default();
        let page = choose(&choices, &rules, limit, |a, b| likeness(metric, a, b));
        let sized = |group: &Option<String>| {
            let (value, field) = (group.clone()?, spec.group_by.as_ref()?);
            let size = state
                .payload
                .labelled(field, &value)
                .intersection_len(from.allowed);
            Some(Group { value, size })
        };
        let chosen = page.chosen.iter().map(|at| &places[*at]);
        last.truncate(limit - page.chosen.len());
        let chosen: Vec<_> = chosen.chain(&last).collect();
        Ok(Diverse {
            places: chosen.iter().map(|(place, _)| *place).collect(),
            groups: chosen.iter().map(|(_, group)| sized(group)).collect(),
            last: last.len(),
            used: DiversityUse {
                candidates: ranked.len() as u64,
                relaxed: page.relaxed as u64,
            },
        })
    }

    /// The group of an item that has its place, where there are groups.
    pub(super) fn group(
        &self,
        state: &State,
        spec: &DiversifySpec,
        number: u32,
        allowed: &RoaringBitmap,
    ) -> Result<Option<Group>> {
        let (Some(field), Some(id)) = (&spec.group_by, state.ids.get(&number)) else {
            return Ok(None);
        };
        let item = self.load(state, id, false)?;
        let value = state.payload.labels(field, &item).into_iter().next();
        Ok(value.map(|value| Group {
            size: state
                .payload
                .labelled(field, &value)
                .intersection_len(allowed),
            value,
        }))
    }

    fn records(&self, state: &State, ranked: &[Ranked]) -> Result<HashMap<u32, Item>> {
        let numbers = ranked.iter().map(|one| one.candidate.item);
        let live = numbers.filter_map(|number| Some((number, state.ids.get(&number)?)));
        let (numbers, ids): (Vec<u32>, Vec<&str>) = live.map(|(n, id)| (n, id.as_str())).unzip();
        let records = numbers.into_iter().zip(self.load_many(state, &ids)?);
        Ok(records.filter_map(|(n, item)| Some((n, item?))).collect())
    }
}

/// How like two vectors are, 1 for the same.
fn likeness(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    match metric {
        Metric::Cosine => distance::score(metric, distance::distance(metric, a, b)),
        Metric::L2 => 1.0 / (1.0 + distance::distance(metric, a, b)),
        Metric::Dot => {
            let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
            let product = -distance::distance(metric, a, b);
            product / (length(a) * length(b)).max(f32::MIN_POSITIVE)
        }
    }
}
