//! Evaluation of a query over the segments of the index, term at a time in windows of documents.
//!
//! The score of an item is the share of the query that it has, 0 to about 1 (more for terms that
//! are frequent in a short text): the sum over the words of weight x saturated term frequency in
//! the best field (BM25, Robertson and Zaragoza 2009), plus a share for adjacent words, over the
//! weight of all words; times the coverage, the share of the words that the item has at all. So a
//! score does not depend on the other items that match.
//!
//! Frequent words are listed for most documents without their values: if the words that a document
//! has cannot make it one of the best matches, only the fact that it matches is needed (MaxScore,
//! Turtle and Flood 1995).

use tantivy::{DocId, Searcher, SegmentReader, schema::Field};

use super::{
    boosts::BoostCursors,
    collector::{Limits, SegmentMatches},
    cursors::{FIELD_BOOSTS, FieldNorms, GroupCursors, PhraseCursors},
    opener::Opener,
    plan::QueryPlan,
    share::Share,
    window::{Posting, WINDOW, Window},
};
use crate::lexical::{FIELDS, LexicalError};

/// Factor of the score that a bound has to stay below, for errors of rounding.
const ROUNDING: f32 = 1.0 - 1e-5;

/// Mean number of terms of each field, over all segments.
pub(super) fn mean_lengths(
    searcher: &Searcher,
    fields: &[Field; FIELDS.len()],
) -> Result<[f32; FIELDS.len()], LexicalError> {
    let items = searcher.num_docs().max(1) as f32;
    let mut means = [1.0; FIELDS.len()];
    for (mean, field) in means.iter_mut().zip(fields) {
        let mut terms = 0;
        for segment in searcher.segment_readers() {
            terms += segment.inverted_index(*field)?.total_num_tokens();
        }
        *mean = (terms as f32 / items).max(1.0);
    }
    Ok(means)
}

/// The cursors of a query in a segment.
pub(super) struct SegmentQuery<'a> {
    segment: &'a SegmentReader,
    norms: Vec<FieldNorms>,
    /// Groups in falling order of their bounds; those without one first.
    groups: Vec<GroupCursors>,
    /// Bounds of the documents that have none of the groups before this one.
    bounds: Vec<Option<Limits>>,
    phrases: Vec<PhraseCursors>,
    boosts: Vec<BoostCursors>,
    /// Bound of what a document gains by all boosts.
    boost_bound: f32,
    /// Postings of the groups whose values are needed for few documents.
    postings: Vec<Posting>,
    required: u16,
    weight: f32,
    coverage: f32,
}

impl<'a> SegmentQuery<'a> {
    /// Opens the postings of a query in a segment; `means` are the mean lengths of the fields.
    pub fn open(
        plan: &QueryPlan,
        searcher: &Searcher,
        segment: &'a SegmentReader,
        fields: &[Field; FIELDS.len()],
        means: &[f32; FIELDS.len()],
    ) -> Result<Self, LexicalError> {
        let mut norms = Vec::with_capacity(FIELDS.len());
        for ((field, boost), mean) in fields.iter().zip(FIELD_BOOSTS).zip(means) {
            norms.push(FieldNorms::new(segment, *field, boost, *mean)?);
        }
        let open = Opener {
            searcher,
            segment,
            fields,
        };
        let groups = plan.groups.iter().map(|group| open.group(group));
        let phrases = plan.phrases.iter().map(|phrase| open.phrase(phrase));
        let boosts = plan.boosts.iter().map(|boost| open.boost(boost));
        let boosts = boosts.collect::<Result<Vec<_>, _>>()?;
        let mut query = Self {
            segment,
            norms,
            groups: groups.collect::<Result<_, _>>()?,
            bounds: Vec::new(),
            phrases: phrases.collect::<Result<_, _>>()?,
            boost_bound: boosts.iter().map(BoostCursors::bound).sum(),
            boosts,
            postings: Vec::new(),
            required: plan.required(),
            weight: plan.weight().max(f32::MIN_POSITIVE),
            coverage: plan.coverage().max(f32::MIN_POSITIVE),
        };
        query.order_groups();
        Ok(query)
    }

    /// Sorts the groups and calculates the bounds. The order depends on the query alone, and so
    /// does the rounding of scores.
    fn order_groups(&mut self) {
        let bound = |group: &GroupCursors| group.bound().unwrap_or(f32::INFINITY);
        self.groups.sort_by(|a, b| bound(b).total_cmp(&bound(a)));
        let (mut score, mut coverage) = (self.boost_bound, 0.0);
        for group in self.groups.iter().rev() {
            score += bound(group);
            coverage += group.coverage;
            let coverage = (coverage / self.coverage).min(1.0);
            self.bounds.push(group.bound().map(|_| Limits {
                score: score / self.weight * coverage,
                coverage,
            }));
        }
        self.bounds.reverse();
    }

    /// Returns the number of groups of which a document needs one to be among the best.
    fn deciding_groups(&self, limits: Option<Limits>) -> usize {
        let is_below = |bound: &Option<Limits>| match (bound, limits) {
            (Some(bound), Some(limits)) => {
                bound.score < ROUNDING * limits.score && bound.coverage <= limits.coverage
            }
            _ => false,
        };
        let below = self.bounds.iter().rev().take_while(|bound| is_below(bound));
        self.groups.len() - below.count()
    }

    /// Collects the documents of a share that match and are not deleted, in rising order.
    pub fn run(&mut self, share: Share, window: &mut Window, matches: &mut SegmentMatches<'_, '_>) {
        let alive = self.segment.alive_bitset();
        let is_alive = |document| alive.is_none_or(|alive| alive.is_alive(document));
        let documents = share.documents(self.segment.max_doc());
        self.skip_to(documents.start);
        let end = documents.end;
        for start in documents.step_by(WINDOW) {
            window.begin(start, end.min(start + WINDOW as u32));
            for phrase in &mut self.phrases {
                phrase.add(&self.norms, window);
            }
            let limits = matches.limits();
            let deciding = self.deciding_groups(limits);
            for group in &mut self.groups[..deciding] {
                group.add(&self.norms, window);
            }
            self.add_others(deciding, window, matches, is_alive);
            let least = limits.map_or(f32::NEG_INFINITY, |limits| ROUNDING * limits.score);
            window.matched.for_each(|offset| {
                let document = start + offset as u32;
                if window.required[offset] != self.required || !is_alive(document) {
                    return;
                }
                let coverage = (window.covered[offset] / self.coverage).min(1.0);
                let relative = |score: f32| score / self.weight * coverage;
                let mut score = window.score[offset];
                if relative(score + self.boost_bound) >= least || matches.is_extra(document) {
                    for boost in &mut self.boosts {
                        score += boost.value(document);
                    }
                }
                matches.take(document, relative(score), coverage);
            });
        }
    }

    /// Skips the documents before `start`.
    fn skip_to(&mut self, start: DocId) {
        for phrase in &mut self.phrases {
            phrase.skip_to(start);
        }
        for group in &mut self.groups {
            group.skip_to(start);
        }
    }

    /// Adds the groups from `deciding` on: their values to documents that match already, or whose
    /// scores are asked for; of the others, collects the ids.
    fn add_others(
        &mut self,
        deciding: usize,
        window: &mut Window,
        matches: &mut SegmentMatches<'_, '_>,
        is_alive: impl Fn(DocId) -> bool,
    ) {
        let (postings, others) = (&mut self.postings, &mut self.groups[deciding..]);
        postings.clear();
        let mut unscored = std::mem::take(&mut window.unscored);
        let document = |offset: usize| window.start + offset as u32;
        let is_scored =
            |offset| window.matched.contains(offset) || matches.is_extra(document(offset));
        let read = others.iter_mut().map(|group| {
            let from = postings.len();
            group.read(window, is_scored, postings, &mut unscored);
            from..postings.len()
        });
        let ranges: Vec<_> = read.collect();
        if self.required == 0 {
            unscored.for_each(|offset| {
                if is_alive(document(offset)) {
                    matches.take_id(document(offset));
                }
            });
            for posting in &*postings {
                window.matched.insert(usize::from(posting.offset));
            }
        }
        window.unscored = unscored;
        for (group, range) in others.iter().zip(ranges) {
            group.add_postings(&self.norms, &postings[range], window);
        }
    }
}
