//! Diversity of a page: groups, quotas and dissimilarity, by the records and vectors of the
//! candidates.

use std::collections::{HashMap, HashSet};

use roaring::RoaringBitmap;
use vitrine_schemas::{DiversifySpec, DiversityUse, Group, Item, Metric};

use crate::{
    Result,
    collection::{Collection, State},
    distance,
    query::{
        self,
        blend::Ranked,
        diversify::{Choice, Constraints, choose},
    },
};

/// Maximum number of hits of other pages that near duplicates are looked for among.
const MAX_SHOWN: usize = 200;

/// Ranked candidates that a diverse page is selected from.
pub(in crate::collection) struct DiversityPool<'a> {
    /// Sorted best first.
    pub ranked: &'a [Ranked],
    /// Returns true for items that are on another page or pinned: neither they nor other items of
    /// their groups are selected.
    pub is_excluded: &'a dyn Fn(u32) -> bool,
    /// Returns true for items that are selected only if no other is left.
    pub is_demoted: &'a dyn Fn(u32) -> bool,
    /// Internal ids of the items counted in group sizes.
    pub eligible: &'a RoaringBitmap,
    /// Space in which similarity is measured if the specification names none.
    pub space: Option<&'a str>,
    /// Sets of items that get an equal quota of the page, if there are several.
    pub quota_sets: &'a [RoaringBitmap],
}

impl DiversityPool<'_> {
    /// Returns the maximum number of hits of each set.
    fn set_quota(&self, limit: usize) -> Option<usize> {
        (self.quota_sets.len() > 1).then(|| limit.div_ceil(self.quota_sets.len()))
    }

    /// Returns the names of the sets that an item belongs to.
    fn sets_of(&self, internal_id: u32) -> Vec<String> {
        let sets = self.quota_sets.iter().enumerate();
        let sets = sets.filter(|(_, set)| set.contains(internal_id));
        sets.map(|(index, _)| index.to_string()).collect()
    }
}

/// Diverse hits of a ranking.
pub(in crate::collection) struct DiverseSelection {
    /// Offsets in the ranking, in the order of the page.
    pub offsets: Vec<usize>,
    /// The group of each hit, if the page is grouped and the item has a value.
    pub groups: Vec<Option<Group>>,
    pub usage: DiversityUse,
    /// Number of hits that were selected because no other was left.
    last: usize,
}

impl DiverseSelection {
    /// Returns true if more candidates could make the page better.
    pub fn is_short(&self, limit: usize) -> bool {
        self.offsets.len() - self.last < limit || self.usage.relaxed > 0
    }
}

/// Validates a specification.
pub(in crate::collection) fn check(spec: &DiversifySpec, state: &State) -> Result<()> {
    let check_labels = |at: &str, field: &str| state.payload.check_labels(at, field);
    query::diversify::check("/diversify", spec, check_labels)?;
    match &spec.space {
        Some(space) => state
            .space(space)
            .map(|_| ())
            .map_err(|e| e.under("/diversify")),
        None => Ok(()),
    }
}

impl Collection {
    /// Selects at most `limit` hits of a pool.
    pub(in crate::collection) fn diverse(
        &self,
        state: &State,
        spec: &DiversifySpec,
        pool: &DiversityPool<'_>,
        limit: usize,
    ) -> Result<DiverseSelection> {
        let ranked = pool.ranked;
        let needs_labels = !spec.max_per.is_empty() || spec.group_by.is_some();
        let records = if needs_labels {
            self.records(state, ranked)?
        } else {
            HashMap::new()
        };
        let labels = |internal_id: u32, field: &str| match records.get(&internal_id) {
            Some(item) => state.payload.labels(field, item),
            None => Vec::new(),
        };
        // Only the best item of each group is selected; items without a value belong to no group.
        let group = |internal_id: u32| {
            let field = spec.group_by.as_ref()?;
            labels(internal_id, field).into_iter().next()
        };
        let (taken, fresh): (Vec<_>, Vec<_>) = ranked
            .iter()
            .enumerate()
            .map(|(offset, hit)| (offset, hit.candidate.item))
            .partition(|(_, internal_id)| (pool.is_excluded)(*internal_id));
        let mut seen: HashSet<String> = taken.iter().filter_map(|(_, id)| group(*id)).collect();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (offset, internal_id) in fresh {
            let group = group(internal_id);
            if group.as_ref().is_none_or(|g| seen.insert(g.clone())) {
                if (pool.is_demoted)(internal_id) {
                    last.push((offset, group));
                } else {
                    first.push((offset, group));
                }
            }
        }
        let space = spec
            .space
            .as_deref()
            .or(pool.space)
            .filter(|_| spec.mmr.is_some() || spec.max_similarity.is_some());
        let index = space.map(|s| state.space(s)).transpose()?;
        let vectors = index.map(|index| index.vectors());
        let vector = |internal_id| Some(vectors.as_ref()?.get(internal_id)?.to_vec());
        let metric = space
            .and_then(|s| state.config.vectors.get(s))
            .map(|s| s.metric);
        let set_quota = pool.set_quota(limit);
        let choices: Vec<Choice> = first
            .iter()
            .map(|(offset, _)| {
                let internal_id = ranked[*offset].candidate.item;
                Choice {
                    score: ranked[*offset].score,
                    vector: vector(internal_id),
                    values: spec
                        .max_per
                        .keys()
                        .map(|field| labels(internal_id, field))
                        .chain(set_quota.map(|_| pool.sets_of(internal_id)))
                        .collect(),
                }
            })
            .collect();
        let constraints = Constraints {
            mmr: spec.mmr,
            quotas: spec.max_per.values().copied().chain(set_quota).collect(),
            max_similarity: spec.max_similarity,
            shown: match spec.max_similarity {
                Some(_) => {
                    let shown = taken.iter().take(MAX_SHOWN);
                    shown.filter_map(|(_, id)| vector(*id)).collect()
                }
                None => Vec::new(),
            },
        };
        let metric = metric.unwrap_or_default();
        let similarity = |a: &[f32], b: &[f32]| similarity(metric, a, b);
        let selection = choose(&choices, &constraints, limit, similarity)?;
        let with_size = |group: &Option<String>| {
            let (value, field) = (group.clone()?, spec.group_by.as_ref()?);
            let size = state
                .payload
                .labeled(field, &value)
                .intersection_len(pool.eligible);
            Some(Group { value, size })
        };
        let chosen = selection.chosen.iter().map(|index| &first[*index]);
        last.truncate(limit - selection.chosen.len());
        let chosen: Vec<_> = chosen.chain(&last).collect();
        Ok(DiverseSelection {
            offsets: chosen.iter().map(|(offset, _)| *offset).collect(),
            groups: chosen.iter().map(|(_, group)| with_size(group)).collect(),
            last: last.len(),
            usage: DiversityUse {
                candidates: ranked.len() as u64,
                relaxed: selection.relaxed as u64,
                near_duplicates: selection.near_duplicates as u64,
            },
        })
    }

    /// Returns the group of a pinned item, if the page is grouped.
    pub(in crate::collection) fn group(
        &self,
        state: &State,
        spec: &DiversifySpec,
        internal_id: u32,
        eligible: &RoaringBitmap,
    ) -> Result<Option<Group>> {
        let (Some(field), Some(id)) = (&spec.group_by, state.ids.get(&internal_id)) else {
            return Ok(None);
        };
        let item = self.load(state, id, false)?;
        let value = state.payload.labels(field, &item).into_iter().next();
        Ok(value.map(|value| Group {
            size: state
                .payload
                .labeled(field, &value)
                .intersection_len(eligible),
            value,
        }))
    }

    fn records(&self, state: &State, ranked: &[Ranked]) -> Result<HashMap<u32, Item>> {
        let hits = ranked.iter().map(|hit| hit.candidate.item);
        let live = hits.filter_map(|n| Some((n, state.ids.get(&n)?.as_str())));
        let (internal_ids, ids): (Vec<u32>, Vec<&str>) = live.unzip();
        let records = internal_ids.into_iter().zip(self.load_many(state, &ids)?);
        Ok(records.filter_map(|(n, item)| Some((n, item?))).collect())
    }
}

/// Returns the similarity of two vectors, 1 for equal ones.
fn similarity(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
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
