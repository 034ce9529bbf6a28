//! Corrections of a word that is in no item: words within a small edit distance, its two halves, or
//! the word joined to the next.

use std::collections::BTreeMap;

use tantivy::{Searcher, Term, query::FuzzyTermQuery, schema::Field};

use super::LexicalError;

/// Maximum number of corrections of a word.
const MAX_CORRECTIONS: usize = 8;

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
pub(super) fn frequency(
    searcher: &Searcher,
    fields: &[Field],
    term: &str,
) -> Result<u64, LexicalError> {
    let counts = fields
        .iter()
        .map(|f| searcher.doc_freq(&Term::from_field_text(*f, term)));
    Ok(counts.sum::<tantivy::Result<u64>>()?)
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

/// Returns the words of the index near `word`, the nearest and most frequent first. The first
/// letter is assumed to be right, as it nearly always is, unless the word is long.
pub(super) fn near(
    searcher: &Searcher,
    fields: &[Field],
    word: &str,
) -> Result<Vec<Correction>, LexicalError> {
    if word.chars().any(|c| !c.is_alphabetic()) {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, (u8, u64)> = BTreeMap::new();
    for edits in 1..=edits(word) {
        for field in fields {
            let query = FuzzyTermQuery::new(Term::from_field_text(*field, word), edits, true);
            for segment in searcher.segment_readers() {
                let inverted = segment.inverted_index(*field)?;
                let mut stream = inverted
                    .terms()
                    .search(query.automaton()?)
                    .into_stream()
                    .map_err(tantivy::TantivyError::from)?;
                while stream.advance() {
                    let Ok(term) = std::str::from_utf8(stream.key()) else {
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

/// A word as two words of the index, the pair whose rarer word is the most frequent.
pub(super) fn halves(
    searcher: &Searcher,
    fields: &[Field],
    word: &str,
    stem: impl Fn(&str) -> String,
) -> Result<Option<[String; 2]>, LexicalError> {
    let mut best = None;
    for (at, _) in word.char_indices().skip(3) {
        if word.len() - at < 3 {
            break;
        }
        let pair = [stem(&word[..at]), stem(&word[at..])];
        let rarer =
            frequency(searcher, fields, &pair[0])?.min(frequency(searcher, fields, &pair[1])?);
        if rarer > 0 && best.as_ref().is_none_or(|(most, _)| rarer > *most) {
            best = Some((rarer, pair));
        }
    }
    Ok(best.map(|(_, pair)| pair))
}
