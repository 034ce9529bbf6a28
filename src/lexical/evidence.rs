//! Items whose texts have words side by side, as evidence for what a query means.

use roaring::RoaringBitmap;
use tantivy::{
    Term,
    query::{BooleanQuery, EnableScoring, PhraseQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};

use super::{
    LexicalError, LexicalIndex,
    analyzer::{analyze, is_han},
};

/// Index of the title among the fields.
const TITLE: usize = 0;

impl LexicalIndex {
    /// Returns the items with the words side by side in the title, or in any text with `anywhere`;
    /// `None` if each word is in more than `most` items, or if there are no words.
    ///
    /// # Errors
    /// The index cannot be read.
    pub(crate) fn with_phrase(
        &self,
        words: &str,
        anywhere: bool,
        most: u64,
    ) -> Result<Option<RoaringBitmap>, LexicalError> {
        let terms = phrase_terms(words);
        let searcher = self.searcher();
        let fields = if anywhere {
            &self.fields[..]
        } else {
            &self.fields[TITLE..=TITLE]
        };
        if terms.is_empty() {
            return Ok(None);
        }
        let mut queries = Vec::new();
        for field in fields {
            let mut rarest = u64::MAX;
            for (_, term) in &terms {
                rarest = rarest.min(searcher.doc_freq(&Term::from_field_text(*field, term))?);
            }
            if rarest > most {
                return Ok(None);
            }
            if rarest > 0 {
                queries.push(phrase(*field, &terms));
            }
        }
        if queries.is_empty() {
            return Ok(Some(RoaringBitmap::new()));
        }
        let query = BooleanQuery::union(queries);
        let weight = query.weight(EnableScoring::disabled_from_searcher(&searcher))?;
        let mut items = RoaringBitmap::new();
        for segment in searcher.segment_readers() {
            let internal_ids = self.segment_ids.get(segment, &searcher)?;
            let alive = segment.alive_bitset();
            weight.for_each_no_score(segment, &mut |documents| {
                for document in documents {
                    if alive.is_none_or(|alive| alive.is_alive(*document)) {
                        items.insert(internal_ids[*document as usize]);
                    }
                }
            })?;
        }
        Ok(Some(items))
    }
}

/// Returns the terms of a phrase with their positions: one for each word, and of Chinese the pairs
/// of characters, since words depend on the text around them.
fn phrase_terms(words: &str) -> Vec<(usize, String)> {
    let is_pair = |term: &str| term.chars().count() == 2 && term.chars().all(is_han);
    let all = analyze(words);
    let has_pairs = all.iter().any(|found| is_pair(&found.term));
    let mut terms: Vec<(usize, String)> = Vec::new();
    for found in all {
        let han = found.term.chars().all(is_han);
        let is_new = terms
            .last()
            .is_none_or(|(position, _)| *position != found.position);
        if is_new && (!han || !has_pairs || is_pair(&found.term)) {
            terms.push((found.position, found.term));
        }
    }
    terms
}

fn phrase(field: Field, terms: &[(usize, String)]) -> Box<dyn Query> {
    let term = |term: &str| Term::from_field_text(field, term);
    match terms {
        [(_, only)] => Box::new(TermQuery::new(term(only), IndexRecordOption::Basic)),
        terms => {
            let terms = terms.iter().map(|(position, t)| (*position, term(t)));
            Box::new(PhraseQuery::new_with_offset(terms.collect()))
        }
    }
}
