//! Full-text queries and their results.

use std::{collections::BTreeMap, ops::Range};

use roaring::RoaringBitmap;
use tantivy::{
    DocId, Score, Searcher, SegmentOrdinal, SegmentReader, Term,
    collector::{Collector, SegmentCollector},
    columnar::Column,
    query::{
        BooleanQuery, BoostQuery, DisjunctionMaxQuery, EmptyQuery, Occur, PhraseQuery, Query,
        TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    FIELDS, LexicalError, LexicalIndex, QueryRewrite,
    analyzer::{Analyzed, analyze, fold, stem},
    index::ID_FIELD,
    spelling,
    synonyms::{Other, Piece},
};

/// Score factor of each field.
const FIELD_BOOSTS: [f32; FIELDS.len()] = [1.0, 0.8, 0.6, 0.5, 0.4];

/// Share of the scores of fields other than the best one.
const TIE_BREAKER: f32 = 0.1;

/// Score factor of two adjacent words of the query.
const PAIR_BOOST: f32 = 0.15;

/// Score factor per edit for typo matches.
const TYPO_FACTOR: f32 = 0.6;

/// Score factor of synonyms.
const SYNONYM_FACTOR: f32 = 0.8;

/// Maximum number of words of a query; the rest is ignored.
const MAX_QUERY_WORDS: usize = 32;

/// Maximum number of completions of an unfinished last word.
const MAX_COMPLETIONS: usize = 20;

/// Number of best items that tell the level of the vectors of full-text matches.
const REFERENCES: usize = 10;

/// Maximum number of matches tied with the last one that are kept, so that ties are cut by id; of
/// more, any may be returned.
const MAX_TIES: usize = 4_096;

/// A part of a query, and if it must match.
type Clause = (Occur, Box<dyn Query>);

/// A full-text query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LexicalQuery {
    /// Words; those in quotes must be adjacent.
    pub text: String,
    /// True if the last word may be unfinished: search as you type.
    pub prefix: bool,
    /// True if all words must match.
    pub all: bool,
    /// True if a word that no item has also matches words within one or two edits.
    pub typos: bool,
    /// True if synonyms are not searched.
    pub without_synonyms: bool,
}

/// An item that matches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LexicalMatch {
    /// Internal id.
    pub internal_id: u32,
    /// BM25 over the fields; higher is better.
    pub score: f32,
}

/// Results of a full-text search.
#[derive(Clone, Debug, Default)]
pub struct LexicalResults {
    /// Best first, ties by internal id.
    pub matches: Vec<LexicalMatch>,
    /// Scores of the additional items that match.
    pub also: BTreeMap<u32, f32>,
    /// All items that match.
    pub all: RoaringBitmap,
    /// The best visible items, also those that are not allowed, best first; at most
    /// `REFERENCES`.
    pub best_of_all: Vec<u32>,
    /// Corrections of words that no item has.
    pub corrections: BTreeMap<String, String>,
    /// Synonyms searched besides, by phrase.
    pub synonyms: BTreeMap<String, Vec<String>>,
    /// Terms searched, corrections included; they are highlighted.
    pub terms: Vec<String>,
}

impl LexicalResults {
    /// Returns the score of the last of the best matches.
    pub fn last_score(&self) -> Option<f32> {
        self.matches.last().map(|last| last.score)
    }
}

/// Items that a full-text search collects.
#[derive(Clone, Copy)]
pub struct LexicalSelection<'a> {
    /// Number of best matches; more if they are tied with the last one.
    pub k: usize,
    /// Items that may match.
    pub allowed: &'a RoaringBitmap,
    /// Items whose scores are returned if they match.
    pub also: &'a RoaringBitmap,
    /// Items among which [`LexicalResults::best_of_all`] is found.
    pub visible: &'a RoaringBitmap,
}

impl LexicalIndex {
    /// Finds the items of a selection that match.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn search(
        &self,
        query: &LexicalQuery,
        rewrite: &QueryRewrite,
        selection: &LexicalSelection<'_>,
    ) -> Result<LexicalResults, LexicalError> {
        let searcher = self.searcher();
        let mut found = LexicalResults::default();
        let Some(query) = Builder {
            searcher: &searcher,
            fields: &self.fields,
            query,
            rewrite,
            found: &mut found,
        }
        .build()?
        else {
            return Ok(found);
        };
        let collected = searcher.search(&*query, &TopMatches(*selection))?;
        let also = collected.also.into_iter();
        found.also = also.map(|m| (m.internal_id, m.score)).collect();
        let best = collected.best_of_all.into_iter().take(REFERENCES);
        found.best_of_all = best.map(|m| m.internal_id).collect();
        found.matches = collected.best;
        found.all = collected.all;
        Ok(found)
    }
}

struct Builder<'a> {
    searcher: &'a Searcher,
    fields: &'a [Field; FIELDS.len()],
    query: &'a LexicalQuery,
    rewrite: &'a QueryRewrite,
    found: &'a mut LexicalResults,
}

impl Builder<'_> {
    fn build(&mut self) -> Result<Option<Box<dyn Query>>, LexicalError> {
        let (text, phrases) = quoted(&self.query.text);
        let mut clauses: Vec<Clause> = Vec::new();
        for phrase in phrases {
            let words = analyze(phrase);
            self.found
                .terms
                .extend(words.iter().map(|w| w.term.clone()));
            if !words.is_empty() {
                clauses.push((Occur::Must, self.phrase(&words)?));
            }
        }
        let rewrite = self.rewrite;
        let mut words = rewrite.stop_words.strip(&text, analyze(&text));
        words.truncate(MAX_QUERY_WORDS);
        let occur = if self.query.all {
            Occur::Must
        } else {
            Occur::Should
        };
        let mut pieces = match self.query.without_synonyms {
            true => Vec::new(),
            false => rewrite.synonyms.pieces(&text),
        }
        .into_iter()
        .peekable();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            while pieces.next_if(|p| p.span.end <= word.span.start).is_some() {}
            let Some(piece) = pieces.peek().filter(|p| p.span.start < word.span.end) else {
                clauses.push((occur, self.word(&words, at, &text, false)?));
                at += 1;
                continue;
            };
            let inside =
                |w: &&Analyzed| piece.span.start <= w.span.start && w.span.end <= piece.span.end;
            let count = words[at..].iter().take_while(inside).count();
            if count == 0 {
                // A pair of characters on the edge of the piece: another word does not have it.
                clauses.push((Occur::Should, self.word(&words, at, &text, true)?));
                at += 1;
                continue;
            }
            clauses.push((
                occur,
                self.piece(piece, &words, at..at + count, &text, occur)?,
            ));
            at += count;
            pieces.next();
        }
        for pair in words.windows(2) {
            clauses.extend(self.pair(pair)?);
        }
        Ok((!clauses.is_empty()).then(|| Box::new(BooleanQuery::new(clauses)) as Box<dyn Query>))
    }

    /// Returns the query of the words of a span, or of its alternatives.
    fn piece(
        &mut self,
        piece: &Piece<'_>,
        words: &[Analyzed],
        place: Range<usize>,
        text: &str,
        occur: Occur,
    ) -> Result<Box<dyn Query>, LexicalError> {
        let mut any = Vec::new();
        let mut known = Vec::new();
        for other in &piece.others {
            if let Some(query) = self.other(other, place.len())? {
                any.push(query);
                known.push(other.text.clone());
                let terms = other.terms.iter().map(|w| w.term.clone());
                self.found.terms.extend(terms);
            }
        }
        let has_others = !any.is_empty();
        if has_others {
            let written = text[piece.span.clone()].to_owned();
            self.found
                .synonyms
                .entry(written)
                .or_default()
                .extend(known);
        }
        if let [at] = place.clone().collect::<Vec<_>>()[..] {
            any.insert(0, self.word(words, at, text, has_others)?);
        } else {
            let mut own = Vec::new();
            for at in place.clone() {
                own.push((occur, self.word(words, at, text, has_others)?));
            }
            for pair in words[place].windows(2) {
                own.extend(self.pair(pair)?);
            }
            any.insert(0, Box::new(BooleanQuery::new(own)));
        }
        Ok(best_of(any, 0.0))
    }

    /// Returns the query of an alternative of a span of `words` words; `None` if no item has it.
    fn other(&self, other: &Other, words: usize) -> Result<Option<Box<dyn Query>>, LexicalError> {
        for word in &other.terms {
            if spelling::frequency(self.searcher, self.fields, &word.term)? == 0 {
                return Ok(None);
            }
        }
        let query = self.phrase(&other.terms)?;
        // A phrase scores the sum of its words: that must not outweigh the original words.
        let share = (words as f32 / other.terms.len() as f32).min(1.0);
        Ok(Some(Box::new(BoostQuery::new(
            query,
            SYNONYM_FACTOR * share,
        ))))
    }

    /// Returns the query that boosts two adjacent words.
    fn pair(&self, pair: &[Analyzed]) -> Result<Option<Clause>, LexicalError> {
        if pair[1].position != pair[0].position + 1 {
            return Ok(None);
        }
        let query = BoostQuery::new(self.phrase(pair)?, PAIR_BOOST);
        Ok(Some((Occur::Should, Box::new(query))))
    }

    /// Returns the query of a word in any field, or of its corrections unless it has synonyms.
    fn word(
        &mut self,
        words: &[Analyzed],
        at: usize,
        text: &str,
        has_others: bool,
    ) -> Result<Box<dyn Query>, LexicalError> {
        let (word, next) = (&words[at], words.get(at + 1));
        let unfinished = self.query.prefix
            && at + 1 == words.len()
            && text.ends_with(|c: char| c.is_alphanumeric());
        let mut terms = vec![(word.term.clone(), 1.0)];
        let known = spelling::frequency(self.searcher, self.fields, &word.term)? > 0;
        if unfinished && word.plain {
            let written = fold(&text[word.span.clone()]);
            terms.extend(
                self.endings(&written)?
                    .into_iter()
                    .map(|t| (t, SYNONYM_FACTOR)),
            );
        }
        if !known && !has_others && terms.len() == 1 && word.plain && self.query.typos {
            terms.extend(self.meant(word, text, next)?);
        }
        self.found
            .terms
            .extend(terms.iter().map(|(t, _)| t.clone()));
        let any = terms.iter().map(|(term, weight)| self.term(term, *weight));
        Ok(best_of(any.collect::<Result<Vec<_>, _>>()?, 0.0))
    }

    fn meant(
        &mut self,
        word: &Analyzed,
        text: &str,
        next: Option<&Analyzed>,
    ) -> Result<Vec<(String, f32)>, LexicalError> {
        let written = fold(&text[word.span.clone()]);
        if let Some(next) = next.filter(|n| n.plain && n.position == word.position + 1) {
            let joined = stem(&(written.clone() + &fold(&text[next.span.clone()])));
            if spelling::frequency(self.searcher, self.fields, &joined)? > 0 {
                self.found.corrections.insert(written, joined.clone());
                return Ok(vec![(joined, 1.0)]);
            }
        }
        let near = spelling::near(self.searcher, self.fields, &word.term)?;
        if near.first().is_none_or(|g| g.edits > 1)
            && let Some(halves) = spelling::halves(self.searcher, self.fields, &written, stem)?
        {
            self.found.corrections.insert(written, halves.join(" "));
            return Ok(halves.into_iter().map(|h| (h, 1.0)).collect());
        }
        if let Some(first) = near.first() {
            self.found.corrections.insert(written, first.term.clone());
        }
        Ok(near
            .into_iter()
            .map(|g| (g.term, TYPO_FACTOR.powi(i32::from(g.edits))))
            .collect())
    }

    /// Returns the terms that begin with `start`, the most frequent first.
    fn endings(&self, start: &str) -> Result<Vec<String>, LexicalError> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for field in self.fields {
            for segment in self.searcher.segment_readers() {
                let inverted = segment.inverted_index(*field)?;
                let terms = inverted.terms().range().ge(start.as_bytes()).into_stream();
                let mut terms = terms.map_err(tantivy::TantivyError::from)?;
                while terms.advance() && terms.key().starts_with(start.as_bytes()) {
                    if let Ok(term) = std::str::from_utf8(terms.key()) {
                        *found.entry(term.to_owned()).or_default() +=
                            u64::from(terms.value().doc_freq);
                    }
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(found
            .into_iter()
            .take(MAX_COMPLETIONS)
            .map(|(term, _)| term)
            .collect())
    }

    /// Returns the query of a term in its best field.
    fn term(&self, term: &str, weight: f32) -> Result<Box<dyn Query>, LexicalError> {
        let mut in_fields: Vec<Box<dyn Query>> = Vec::new();
        for (field, boost) in self.fields.iter().zip(FIELD_BOOSTS) {
            let term = Term::from_field_text(*field, term);
            if self.searcher.doc_freq(&term)? > 0 {
                let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
                in_fields.push(Box::new(BoostQuery::new(Box::new(query), boost * weight)));
            }
        }
        Ok(best_of(in_fields, TIE_BREAKER))
    }

    /// Returns the query of adjacent words in one field.
    fn phrase(&self, words: &[Analyzed]) -> Result<Box<dyn Query>, LexicalError> {
        let [first, _, ..] = words else {
            return words
                .first()
                .map_or(Ok(best_of(Vec::new(), 0.0)), |w| self.term(&w.term, 1.0));
        };
        let mut in_fields: Vec<Box<dyn Query>> = Vec::new();
        for (field, boost) in self.fields.iter().zip(FIELD_BOOSTS) {
            let term = |w: &Analyzed| {
                (
                    w.position - first.position,
                    Term::from_field_text(*field, &w.term),
                )
            };
            let terms: Vec<_> = words.iter().map(term).collect();
            let mut there = true;
            for (_, term) in &terms {
                there &= self.searcher.doc_freq(term)? > 0;
            }
            if there {
                let phrase = PhraseQuery::new_with_offset(terms);
                in_fields.push(Box::new(BoostQuery::new(Box::new(phrase), boost)));
            }
        }
        Ok(best_of(in_fields, 0.0))
    }
}

/// Returns the maximum of several queries plus `tie` times the other scores.
fn best_of(mut queries: Vec<Box<dyn Query>>, tie: f32) -> Box<dyn Query> {
    match queries.len() {
        0 => Box::new(EmptyQuery),
        1 => queries.swap_remove(0),
        _ => Box::new(DisjunctionMaxQuery::with_tie_breaker(queries, tie)),
    }
}

/// Returns the text without its quoted phrases, and these.
fn quoted(text: &str) -> (String, Vec<&str>) {
    let pieces: Vec<&str> = text.split(['"', '\u{201c}', '\u{201d}']).collect();
    // An odd mark is one of inches: nothing is quoted.
    if pieces.len().is_multiple_of(2) {
        return (text.to_owned(), Vec::new());
    }
    let inside = |at: &(usize, &&str)| at.0 % 2 == 1;
    // 3/4" x 5" are inches too: what is quoted does not follow a digit.
    let inches = pieces.iter().enumerate().any(|(at, p)| {
        at % 2 == 0 && at + 1 < pieces.len() && p.ends_with(|c: char| c.is_numeric())
    });
    if inches {
        return (text.to_owned(), Vec::new());
    }
    let phrases = pieces
        .iter()
        .enumerate()
        .filter(inside)
        .map(|(_, p)| *p)
        .collect();
    let rest: Vec<_> = pieces
        .iter()
        .enumerate()
        .filter(|p| !inside(p))
        .map(|(_, p)| *p)
        .collect();
    (rest.join(" "), phrases)
}

/// Collects the best eligible matches, and all that matched.
struct TopMatches<'a>(LexicalSelection<'a>);

/// Matches of a segment, or of all segments.
#[derive(Default)]
struct Collected {
    best: Vec<LexicalMatch>,
    also: Vec<LexicalMatch>,
    best_of_all: Vec<LexicalMatch>,
    all: RoaringBitmap,
}

struct SegmentTopMatches {
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
