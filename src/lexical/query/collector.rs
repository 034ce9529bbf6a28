//! Collects the best eligible matches of a query, and all that matched.

use roaring::RoaringBitmap;
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::Column,
};

use super::{LexicalMatch, LexicalSelection};
use crate::lexical::index::ID_FIELD;

/// Number of best items that tell the level of the vectors of full-text matches.
pub(super) const REFERENCES: usize = 10;

/// Maximum number of matches tied with the last one that are kept, so that ties are cut by id; of
/// more, any may be returned.
const MAX_TIES: usize = 4_096;

/// Collects the best eligible matches, and all that matched.
pub(super) struct TopMatches<'a>(pub LexicalSelection<'a>);

/// Matches of a segment, or of all segments.
#[derive(Default)]
pub(super) struct Collected {
    pub best: Vec<LexicalMatch>,
    pub also: Vec<LexicalMatch>,
    pub best_of_all: Vec<LexicalMatch>,
    pub all: RoaringBitmap,
}

pub(super) struct SegmentTopMatches {
    k: usize,
    /// Internal ids by document of the segment.
    internal_ids: Column<u64>,
    allowed: RoaringBitmap,
    also: RoaringBitmap,
    visible: RoaringBitmap,
    found: Collected,
    /// Number of best matches at which all but `k` are dropped.
    capacity: usize,
}

impl Collector for TopMatches<'_> {
    type Fruit = Collected;
    type Child = SegmentTopMatches;

    fn for_segment(
        &self,
        _: SegmentOrdinal,
        segment: &SegmentReader,
    ) -> tantivy::Result<SegmentTopMatches> {
        let LexicalSelection {
            k,
            allowed,
            also,
            visible,
        } = self.0;
        Ok(SegmentTopMatches {
            k,
            internal_ids: segment.fast_fields().u64(ID_FIELD)?,
            allowed: allowed.clone(),
            also: also.clone(),
            visible: visible.clone(),
            found: Collected::default(),
            capacity: 4 * k.max(64),
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, segments: Vec<Collected>) -> tantivy::Result<Collected> {
        let mut merged = Collected::default();
        for found in segments {
            merged.best.extend(found.best);
            merged.also.extend(found.also);
            merged.best_of_all.extend(found.best_of_all);
            merged.all |= found.all;
        }
        cut(&mut merged.best, self.0.k);
        cut(&mut merged.best_of_all, REFERENCES);
        Ok(merged)
    }
}

impl SegmentCollector for SegmentTopMatches {
    type Fruit = Collected;

    fn collect(&mut self, doc: DocId, score: Score) {
        let internal_id = self.internal_ids.first(doc);
        let Some(internal_id) = internal_id.and_then(|n| u32::try_from(n).ok()) else {
            return;
        };
        let found = LexicalMatch { internal_id, score };
        let best_of_all = &mut self.found.best_of_all;
        let last = best_of_all.get(REFERENCES - 1);
        if last.is_none_or(|last| score > last.score) && self.visible.contains(internal_id) {
            let at = best_of_all.partition_point(|other| other.score >= score);
            best_of_all.insert(at, found);
            best_of_all.truncate(REFERENCES);
        }
        if !self.allowed.contains(internal_id) {
            return;
        }
        self.found.all.insert(internal_id);
        if self.also.contains(internal_id) {
            self.found.also.push(found);
        }
        self.found.best.push(found);
        if self.found.best.len() >= self.capacity {
            cut(&mut self.found.best, self.k);
            self.capacity = self.capacity.max(2 * self.found.best.len());
        }
    }

    fn harvest(mut self) -> Collected {
        cut(&mut self.found.best, self.k);
        self.found
    }
}

/// Keeps the best `k`, best first, and those that are tied with the last one.
fn cut(found: &mut Vec<LexicalMatch>, k: usize) {
    found.sort_unstable_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.internal_id.cmp(&b.internal_id))
    });
    let Some(last) = k.checked_sub(1).and_then(|last| found.get(last)) else {
        return;
    };
    let score = last.score;
    let tied = found[k..].iter().take(MAX_TIES);
    let tied = tied.take_while(|other| other.score == score).count();
    found.truncate(k + tied);
}
