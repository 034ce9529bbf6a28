//! Collects the best eligible matches of a query, and all that matched.

use std::cmp::Ordering;

use roaring::RoaringBitmap;
use tantivy::DocId;

use super::{LexicalMatch, LexicalResults, LexicalSelection};

/// Number of best items that tell the level of the vectors of full-text matches.
pub(super) const REFERENCES: usize = 10;

/// Maximum number of matches tied with the last one that are kept, so that ties are cut by id; of
/// more, any may be returned.
const MAX_TIES: usize = 4_096;

/// The best matches so far.
struct Best {
    matches: Vec<LexicalMatch>,
    k: usize,
    /// Number of matches at which all but `k` are dropped.
    capacity: usize,
    /// Score below which no match is among the best.
    floor: f32,
}

impl Best {
    fn new(k: usize) -> Self {
        Self {
            matches: Vec::new(),
            k,
            capacity: 4 * k.max(64),
            floor: f32::NEG_INFINITY,
        }
    }

    /// Adds a match if it has a chance, and is in `eligible`.
    fn take(&mut self, found: LexicalMatch, eligible: &RoaringBitmap) {
        if found.score < self.floor || !eligible.contains(found.internal_id) {
            return;
        }
        self.matches.push(found);
        if self.matches.len() >= self.capacity {
            cut(&mut self.matches, self.k);
            self.floor = self.matches.last().map_or(self.floor, |last| last.score);
            self.capacity = self.capacity.max(2 * self.matches.len());
        }
    }

    /// Adds the matches of another share of the documents.
    fn merge(&mut self, other: Self) {
        self.matches.extend(other.matches);
    }

    /// Returns the best matches with at least this score, best first.
    fn finish(mut self, least: f32) -> Vec<LexicalMatch> {
        self.matches.retain(|m| m.score >= least);
        cut(&mut self.matches, self.k);
        self.matches
    }
}

/// Score and coverage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub score: f32,
    pub coverage: f32,
}

/// A set of internal ids, by bits.
#[derive(Default)]
struct IdSet(Vec<u64>);

impl IdSet {
    fn insert(&mut self, internal_id: u32) {
        let at = internal_id as usize / 64;
        if at >= self.0.len() {
            self.0.resize((at + 1).next_multiple_of(1_024), 0);
        }
        self.0[at] |= 1 << (internal_id % 64);
    }

    fn merge(&mut self, other: Self) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    fn into_bitmap(self) -> RoaringBitmap {
        let bytes = self.0.into_iter().flat_map(u64::to_le_bytes);
        RoaringBitmap::from_lsb0_bytes(0, &bytes.collect::<Vec<u8>>())
    }
}

/// Matches of all segments.
pub(super) struct Collected<'a> {
    selection: LexicalSelection<'a>,
    /// The best eligible matches.
    best: Best,
    /// The best of the boosted matches.
    boosted: Best,
    extra: Vec<LexicalMatch>,
    unfiltered_top: Vec<LexicalMatch>,
    /// Greatest share of the words of the query that a visible item has.
    coverage: f32,
    /// Internal ids of all matches, also those that are not eligible.
    all: IdSet,
    /// Their scores, if the results are cut by relevance.
    scores: Vec<(u32, f32)>,
    /// Low bits of the ids whose scores are returned: most ids are excluded by them.
    extra_bits: Box<[u64; BITS / 64]>,
}

/// Number of low bits of ids that are compared first.
const BITS: usize = 1 << 16;

impl<'a> Collected<'a> {
    pub fn new(selection: LexicalSelection<'a>) -> Self {
        let mut extra_bits = Box::new([0; BITS / 64]);
        for id in selection.extra_items {
            let low = id as usize % BITS;
            extra_bits[low / 64] |= 1 << (low % 64);
        }
        Self {
            selection,
            best: Best::new(selection.k),
            boosted: Best::new(selection.k),
            extra: Vec::new(),
            unfiltered_top: Vec::new(),
            coverage: 0.0,
            all: IdSet::default(),
            scores: Vec::new(),
            extra_bits,
        }
    }

    /// Returns true if the score of an item is asked for.
    fn is_extra(&self, internal_id: u32) -> bool {
        let low = internal_id as usize % BITS;
        let may_be_extra = self.extra_bits[low / 64] >> (low % 64) & 1 == 1;
        may_be_extra && self.selection.extra_items.contains(internal_id)
    }

    /// Returns the score below which, and the coverage up to which, a match changes nothing but the
    /// set of all matches; None while any match may.
    fn limits(&self) -> Option<Limits> {
        if self.selection.relevance > 0.0 {
            return None;
        }
        let mut score = self.unfiltered_top.get(REFERENCES - 1)?.score;
        score = score.min(self.best.floor);
        if self.selection.boosted.is_some() {
            score = score.min(self.boosted.floor);
        }
        let coverage = self.coverage;
        Some(Limits { score, coverage })
    }

    /// Adds a match.
    fn take(&mut self, found: LexicalMatch) {
        let LexicalMatch {
            internal_id,
            score,
            coverage,
        } = found;
        let LexicalSelection {
            eligible,
            boosted,
            visible,
            ..
        } = self.selection;
        match self.selection.relevance > 0.0 {
            true => self.scores.push((internal_id, score)),
            false => self.all.insert(internal_id),
        }
        let last = self.unfiltered_top.get(REFERENCES - 1);
        let is_reference = last.is_none_or(|last| order(&found, last).is_lt());
        if (is_reference || coverage > self.coverage) && visible.contains(internal_id) {
            self.coverage = self.coverage.max(coverage);
            self.add_to_top(found);
        }
        if self.is_extra(internal_id) && eligible.contains(internal_id) {
            self.extra.push(found);
        }
        self.best.take(found, eligible);
        if let Some(boosted) = boosted {
            self.boosted.take(found, boosted);
        }
    }

    fn add_to_top(&mut self, found: LexicalMatch) {
        let top = &mut self.unfiltered_top;
        let at = top.partition_point(|known| order(known, &found).is_lt());
        top.insert(at, found);
        top.truncate(REFERENCES);
    }

    /// Adds the matches of another share of the documents.
    pub fn merge(&mut self, other: Self) {
        self.best.merge(other.best);
        self.boosted.merge(other.boosted);
        self.extra.extend(other.extra);
        self.coverage = self.coverage.max(other.coverage);
        self.all.merge(other.all);
        self.scores.extend(other.scores);
        for found in other.unfiltered_top {
            self.add_to_top(found);
        }
    }

    /// Writes the matches that are eligible and relevant to the results.
    pub fn finish(self, results: &mut LexicalResults) {
        let best = self.unfiltered_top.first().map_or(0.0, |best| best.score);
        let least = best * self.selection.relevance;
        let mut all = self.all;
        let relevant = self.scores.iter().filter(|(_, score)| *score >= least);
        relevant.for_each(|(internal_id, _)| all.insert(*internal_id));
        results.all = all.into_bitmap() & self.selection.eligible;
        let extra = self.extra.into_iter();
        results.extra_scores = extra.map(|m| (m.internal_id, m.score)).collect();
        let unfiltered_top = self.unfiltered_top.into_iter();
        results.unfiltered_top = unfiltered_top.map(|m| m.internal_id).collect();
        results.coverage = self.coverage;
        results.matches = self.best.finish(least);
        let known: RoaringBitmap = results.matches.iter().map(|m| m.internal_id).collect();
        let boosted = self.boosted.finish(least).into_iter();
        let boosted = boosted.filter(|m| !known.contains(m.internal_id));
        results.matches.extend(boosted);
        results.matches.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
}

/// Matches of one segment.
pub(super) struct SegmentMatches<'c, 's> {
    pub collected: &'c mut Collected<'s>,
    /// Internal ids of the documents.
    pub internal_ids: &'c [u32],
}

impl SegmentMatches<'_, '_> {
    /// Returns what a document needs to be among the best, see [`Collected::limits`].
    pub fn limits(&self) -> Option<Limits> {
        self.collected.limits()
    }

    /// Returns true if the score of a document is asked for.
    pub fn is_extra(&self, document: DocId) -> bool {
        self.collected
            .is_extra(self.internal_ids[document as usize])
    }

    /// Adds a document.
    pub fn take(&mut self, document: DocId, score: f32, coverage: f32) {
        self.collected.take(LexicalMatch {
            internal_id: self.internal_ids[document as usize],
            score,
            coverage,
        });
    }

    /// Adds a document that is not among the best to the set of all matches.
    pub fn take_id(&mut self, document: DocId) {
        let internal_id = self.internal_ids[document as usize];
        self.collected.all.insert(internal_id);
    }
}

/// Orders matches by falling score, ties by internal id.
fn order(a: &LexicalMatch, b: &LexicalMatch) -> Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then(a.internal_id.cmp(&b.internal_id))
}

/// Keeps the best `k`, best first, and those that are tied with the last one.
fn cut(found: &mut Vec<LexicalMatch>, k: usize) {
    found.sort_unstable_by(order);
    let Some(last) = k.checked_sub(1).and_then(|last| found.get(last)) else {
        return;
    };
    let score = last.score;
    let tied = found[k..].iter().take(MAX_TIES);
    let tied = tied.take_while(|other| other.score == score).count();
    found.truncate(k + tied);
}
