//! Candidates of other categories, and the blend that ranks them.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use vitrine_schemas::{SearchExplanation, Source};

use super::{CrossCategoryContext, item_behavior::ItemBehavior};
use crate::{
    Result,
    cf::Scored,
    collection::ranking::CandidateSource,
    index::SearchStats,
    query::blend::{BlendModel, CandidateSet, Ranked},
};

/// Candidate source of similar items in other categories.
pub(super) struct CrossCategoryCandidates<'a> {
    pub(super) context: &'a CrossCategoryContext<'a>,
    pub(super) behavior: &'a ItemBehavior<'a>,
    pub(super) blend: &'a BlendModel,
}

/// Candidates with the sources that found them.
pub(super) struct CrossCategoryPool {
    pub(super) candidates: CandidateSet,
    /// Index in `categories` by internal id.
    pub(super) category_of: HashMap<u32, usize>,
    pub(super) counts: Vec<(Source, u64)>,
    pub(super) stats: Option<SearchStats>,
    pub(super) is_exhausted: bool,
}

impl CandidateSource for CrossCategoryCandidates<'_> {
    type Pool = CrossCategoryPool;

    fn gather(&self, size: usize) -> Result<CrossCategoryPool> {
        let (context, behavior) = (self.context, self.behavior);
        let (state, categories) = (context.state, &context.categories);
        let mut lists: Vec<(Source, Vec<Scored>)> = Vec::new();
        let (mut stats, mut is_exhausted) = (None, true);
        if let Some(centered) = &context.centered {
            let (targets, deadline) = (&context.targets, context.deadline);
            let matches = centered.nearest(state, categories, targets, size, deadline)?;
            stats = Some(matches.stats);
            is_exhausted &= matches.is_exhausted;
            lists.push((Source::Query, matches.hits));
        }
        lists.push((Source::Behavior, behavior.neighbors()));
        let popular = behavior.popular(state, &context.eligible, &context.targets, size);
        is_exhausted &= popular.len() < size;
        lists.push((Source::Popularity, popular));
        let counts = lists.iter().map(|(s, list)| (*s, list.len() as u64));
        let mut counts: Vec<_> = counts.collect();
        let mut candidates = CandidateSet::of(behavior.evidence, &lists);
        let items: RoaringBitmap = candidates.candidates.iter().map(|c| c.item).collect();
        let mut category_of = HashMap::new();
        for (index, category) in categories.iter().enumerate() {
            let members = &category.items & &items;
            category_of.extend(members.iter().map(|item| (item, index)));
        }
        let category = |item: u32| category_of.get(&item).map(|index| &categories[*index]);
        if let Some(centered) = &context.centered {
            let score = |item| centered.score(category(item)?.path, item);
            candidates.score_missing(Source::Query, score);
        }
        candidates.score_missing(Source::Popularity, |item| behavior.popularity(state, item));
        candidates.score_missing(Source::Transition, |item| category(item)?.probability);
        let transitions = candidates.candidates.iter();
        let transitions = transitions.filter(|c| c.signals.get(Source::Transition).is_some());
        counts.push((Source::Transition, transitions.count() as u64));
        Ok(CrossCategoryPool {
            candidates,
            category_of,
            counts,
            stats,
            is_exhausted,
        })
    }

    fn is_exhausted(&self, pool: &CrossCategoryPool) -> bool {
        pool.is_exhausted
    }

    /// Equal scores are in the order of ids.
    fn rank(&self, pool: &CrossCategoryPool) -> Vec<Ranked> {
        let mut ranked = self.blend.rank(&pool.candidates);
        ranked.sort_by(|a, b| {
            let id = |hit: &Ranked| self.context.state.ids.get(&hit.candidate.item);
            b.score.total_cmp(&a.score).then_with(|| id(a).cmp(&id(b)))
        });
        ranked
    }
}

impl CrossCategoryPool {
    /// Returns how the candidates were found.
    pub(super) fn plan(&self) -> &'static str {
        self.stats.map_or("behavior", |stats| stats.plan.as_str())
    }

    pub(super) fn explanation(&self) -> SearchExplanation {
        match self.stats {
            Some(stats) => SearchExplanation::from(stats),
            None => SearchExplanation {
                plan: self.plan().to_owned(),
                matching: 0,
                members: 0,
                selectivity: 0.0,
                compared: 0,
            },
        }
    }
}
