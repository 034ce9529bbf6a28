//! Collects the best eligible matches of a query, and all that matched.

use roaring::RoaringBitmap;
use tantivy::{DocId, SegmentReader, columnar::Column};

use super::{LexicalMatch, LexicalSelection, evaluate::Receiver};
use crate::lexical::index::ID_FIELD;

/// Number of best items that tell the level of the vectors of full-text matches.
pub(super) const REFERENCES: usize = 10;

/// Maximum number of matches tied with the last one that are kept, so that ties are cut by id; of
/// more, any may be returned.
const MAX_TIES: usize = 4_096;

/// Matches of all segments.
pub(super) struct Collected<'a> {
    selection: LexicalSelection<'a>,
    /// The best eligible matches.
    pub best: Vec<LexicalMatch>,
    /// Number of best matches at which all but `k` are dropped.
    capacity: usize,
    /// Score below which no match is among the best.
    floor: f32,
    pub also: Vec<LexicalMatch>,
    pub best_of_all: Vec<LexicalMatch>,
    /// Greatest share of the words of the query that a visible item has.
    pub coverage: f32,
    /// All matches that are eligible and relevant.
    pub all: RoaringBitmap,
    /// Internal ids and scores of all matches, also those that are not eligible.
    found: Vec<(u32, f32)>,
    /// Low bits of the ids whose scores are returned: most ids are excluded by them.
    also_bits: Box<[u64; BITS / 64]>,
}

/// Number of low bits of ids that are compared first.
const BITS: usize = 1 << 16;

impl<'a> Collected<'a> {
    pub fn new(selection: LexicalSelection<'a>) -> Self {
        let mut also_bits = Box::new([0; BITS / 64]);
        for id in selection.also {
            let low = id as usize % BITS;
            also_bits[low / 64] |= 1 << (low % 64);
        }
        Self {
            selection,
            best: Vec::new(),
            capacity: 4 * selection.k.max(64),
            floor: f32::NEG_INFINITY,
            also: Vec::new(),
            best_of_all: Vec::new(),
            coverage: 0.0,
            all: RoaringBitmap::new(),
            found: Vec::new(),
            also_bits,
        }
    }

    /// Returns a receiver of the matches of a segment.
    pub fn segment<'b>(
        &'b mut self,
        segment: &SegmentReader,
    ) -> tantivy::Result<SegmentCollector<'b, 'a>> {
        Ok(SegmentCollector {
            internal_ids: segment.fast_fields().u64(ID_FIELD)?,
            collected: self,
        })
    }

    /// Removes matches that are not eligible or not relevant, and all but the best.
    pub fn finish(&mut self) {
        let best = self.best_of_all.first().map_or(0.0, |best| best.score);
        let least = best * self.selection.relevance;
        let relevant = self.found.iter().filter(|(_, score)| *score >= least);
        let mut ids: Vec<u32> = relevant.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        self.all = ids.into_iter().collect();
        self.all &= self.selection.allowed;
        self.best.retain(|m| m.score >= least);
        cut(&mut self.best, self.selection.k);
    }

    fn take(&mut self, found: LexicalMatch) {
        let LexicalMatch {
            internal_id,
            score,
            coverage,
        } = found;
        let LexicalSelection {
            k,
            allowed,
            also,
            visible,
            ..
        } = self.selection;
        let last = self.best_of_all.get(REFERENCES - 1);
        let is_reference = last.is_none_or(|last| score > last.score);
        if (is_reference || coverage > self.coverage) && visible.contains(internal_id) {
            self.coverage = self.coverage.max(coverage);
            let at = self.best_of_all.partition_point(|m| m.score >= score);
            self.best_of_all.insert(at, found);
            self.best_of_all.truncate(REFERENCES);
        }
        let low = internal_id as usize % BITS;
        let may_be_also = self.also_bits[low / 64] >> (low % 64) & 1 == 1;
        if may_be_also && also.contains(internal_id) && allowed.contains(internal_id) {
            self.also.push(found);
        }
        if score < self.floor || !allowed.contains(internal_id) {
            return;
        }
        self.best.push(found);
        if self.best.len() >= self.capacity {
            cut(&mut self.best, k);
            self.floor = self.best.last().map_or(self.floor, |last| last.score);
            self.capacity = self.capacity.max(2 * self.best.len());
        }
    }
}

/// Receives the matches of a segment.
pub(super) struct SegmentCollector<'b, 'a> {
    collected: &'b mut Collected<'a>,
    /// Internal ids by document of the segment.
    internal_ids: Column<u64>,
}

impl Receiver for SegmentCollector<'_, '_> {
    fn take(&mut self, document: DocId, score: f32, coverage: f32) {
        let internal_id = self.internal_ids.first(document);
        let Some(internal_id) = internal_id.and_then(|id| u32::try_from(id).ok()) else {
            return;
        };
        self.collected.found.push((internal_id, score));
        self.collected.take(LexicalMatch {
            internal_id,
            score,
            coverage,
        });
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
