//! Corrections of a word that is in no item: words within a small edit distance, or its two halves.

use std::collections::BTreeMap;

use tantivy::{
    Searcher, Term,
    collector::Count,
    query::{BooleanQuery, FuzzyTermQuery, PhraseQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};

use super::{
    LexicalError,
    analyzer::{is_function_word, stem},
};

/// Maximum number of corrections of a word.
const MAX_CORRECTIONS: usize = 8;

/// Longest word that is taken for two, in bytes.
const MAX_JOINED_BYTES: usize = 40;

/// A possible correction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Correction {
    pub term: String,
    /// Letters changed.
    pub edits: u8,
    /// Items with it.
    pub items: u64,
}

/// Items with a term in any of the fields.
fn frequency(searcher: &Searcher, fields: &[Field], term: &str) -> Result<u64, LexicalError> {
    let counts = fields
        .iter()
        .map(|f| searcher.doc_freq(&Term::from_field_text(*f, term)));
    Ok(counts.sum::<tantivy::Result<u64>>()?)
}

/// Returns true if an item has all of the terms: next to each other in one field, or anywhere if
/// they `may_be_apart`.
pub(super) fn is_in_one_item(
    searcher: &Searcher,
    fields: &[Field],
    terms: &[&str],
    may_be_apart: bool,
) -> Result<bool, LexicalError> {
    let any_field = |term: &str| {
        let terms = fields.iter().map(|f| Term::from_field_text(*f, term));
        let in_field = terms.map(|t| Box::new(TermQuery::new(t, IndexRecordOption::Basic)) as _);
        Box::new(BooleanQuery::union(in_field.collect())) as Box<dyn Query>
    };
    let query: Box<dyn Query> = if may_be_apart || terms.len() < 2 {
        let each = terms.iter().map(|term| any_field(term));
        Box::new(BooleanQuery::intersection(each.collect()))
    } else {
        let in_field = fields.iter().map(|f| {
            let terms = terms.iter().map(|term| Term::from_field_text(*f, term));
            Box::new(PhraseQuery::new(terms.collect())) as Box<dyn Query>
        });
        Box::new(BooleanQuery::union(in_field.collect()))
    };
    Ok(searcher.search(&*query, &Count)? > 0)
}

/// Returns the maximum number of edits of a word: none for short ones, most of which would become
/// another word.
fn edits(word: &str) -> u8 {
    match word.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// Returns the words of the index near `word`, the nearest and most frequent first; if it is
/// unfinished, those that begin with what is near it. The first letter is assumed to be right, as
/// it nearly always is, unless the word is long.
pub(super) fn near(
    searcher: &Searcher,
    fields: &[Field],
    word: &str,
    is_unfinished: bool,
) -> Result<Vec<Correction>, LexicalError> {
    if word.chars().any(|c| !c.is_alphabetic()) || is_function_word(word) {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, (u8, u64)> = BTreeMap::new();
    for edits in 1..=edits(word) {
        for field in fields {
            let term = Term::from_field_text(*field, word);
            let query = match is_unfinished {
                true => FuzzyTermQuery::new_prefix(term, edits, true),
                false => FuzzyTermQuery::new(term, edits, true),
            };
            for segment in searcher.segment_readers() {
                let inverted = segment.inverted_index(*field)?;
                let mut stream = inverted
                    .terms()
                    .search(query.automaton()?)
                    .into_stream()
                    .map_err(tantivy::TantivyError::from)?;
                while stream.advance() {
                    let term = std::str::from_utf8(stream.key()).ok();
                    let Some(term) = term.filter(|term| is_correct(term)) else {
                        continue;
                    };
                    let entry = found.entry(term.to_owned()).or_insert((edits, 0));
                    if entry.0 == edits {
                        entry.1 += u64::from(stream.value().doc_freq);
                    }
                }
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    let guesses = found
        .into_iter()
        .map(|(term, (edits, items))| Correction { term, edits, items });
    let first = word.chars().next();
    let mut guesses: Vec<_> = guesses
        .filter(|g| g.edits > 1 || g.term.chars().next() == first || word.len() > 5)
        .collect();
    guesses.sort_by(|a, b| {
        a.edits
            .cmp(&b.edits)
            .then(b.items.cmp(&a.items))
            .then(a.term.cmp(&b.term))
    });
    guesses.truncate(MAX_CORRECTIONS);
    Ok(guesses)
}

/// Returns true for a term that a mistyped word may stand for.
fn is_correct(term: &str) -> bool {
    !is_function_word(term) && term.chars().all(char::is_alphabetic)
}

/// Returns a word as two words of the index, as written: the pair whose rarer word is the most
/// frequent. None is a word of grammar.
pub(super) fn halves<'a>(
    searcher: &Searcher,
    fields: &[Field],
    word: &'a str,
) -> Result<Option<[&'a str; 2]>, LexicalError> {
    let mut best = None;
    if word.len() > MAX_JOINED_BYTES {
        return Ok(None);
    }
    for (at, _) in word.char_indices().skip(1) {
        let pair = [&word[..at], &word[at..]];
        if !pair.iter().all(|half| is_half(half, pair)) {
            continue;
        }
        let frequency = |half: &str| frequency(searcher, fields, &stem(half));
        let rarer = frequency(pair[0])?;
        let rarer = if rarer > 0 {
            rarer.min(frequency(pair[1])?)
        } else {
            0
        };
        if rarer > 0 && best.as_ref().is_none_or(|(most, _)| rarer > *most) {
            best = Some((rarer, pair));
        }
    }
    Ok(best.map(|(_, pair)| pair))
}

/// Returns true for what may be one of two words in one: none of grammar; a letter stands beside
/// three at least (T-shirt), two letters beside two (Wi-Fi).
fn is_half(half: &str, pair: [&str; 2]) -> bool {
    let shorter = pair.map(|half| half.chars().count());
    let is_long_enough = match shorter[0].min(shorter[1]) {
        1 => shorter[0] + shorter[1] >= 4,
        _ => true,
    };
    is_long_enough && !is_function_word(half)
}
