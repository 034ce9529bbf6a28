//! Spans of a query with alternatives: synonyms, codes, and other spellings of the same words. They
//! are joined words (wi fi: wifi, H & M: h&m) and words taken apart (earbuds: ear buds).

use std::ops::Range;

use super::{
    builder::Builder,
    plan::{self, AlternativeWords, Group},
    spans::{Piece, Spelling},
};
use crate::lexical::{
    LexicalError,
    analyzer::{
        Analyzed, Compound, analyze, fold, is_apostrophe, is_stop, owner, possible_compounds,
    },
    spelling,
};

/// Score factor of words that the query leaves apart, joined.
const JOINED_FACTOR: f32 = 0.9;

/// Score factor of a known word, taken apart.
const SPLIT_FACTOR: f32 = 0.8;

/// Score factor of a word of a name that is without the name's short words.
const PARTIAL_NAME_FACTOR: f32 = 0.8;

/// Longest word that says little without the rest of its name, in letters: the T of T-shirt.
const MAX_SHORT_LETTERS: usize = 2;

/// Maximum number of words and numbers of a code.
const MAX_CODE_WORDS: usize = 8;

/// Longest word that is part of a code, in letters.
const MAX_CODE_LETTERS: usize = 3;

/// Shortest number of a code that is searched alone, in digits.
const MIN_CODE_DIGITS: usize = 3;

/// Shortest word that is taken apart, in letters.
const MIN_SPLIT_LETTERS: usize = 4;

impl Builder<'_> {
    /// Returns the spans of a text that have alternatives, in order and without overlap.
    pub(super) fn pieces(
        &mut self,
        text: &str,
        words: &[Analyzed],
    ) -> Result<Vec<Piece>, LexicalError> {
        let mut pieces: Vec<Piece> = Vec::new();
        if !self.query.without_synonyms {
            let synonyms = self.rewrite.synonyms.within(text).into_iter();
            pieces.extend(synonyms.map(|(span, others)| Piece {
                span,
                others: others.into_iter().map(Spelling::synonym).collect(),
                name: Vec::new(),
            }));
        }
        for spelling in self.spellings(text, words)? {
            match pieces.iter_mut().find(|piece| piece.overlaps(&spelling)) {
                None => pieces.push(spelling),
                Some(piece) if piece.span == spelling.span => {
                    piece.others.extend(spelling.others);
                    piece.name = spelling.name;
                }
                Some(_) => {}
            }
        }
        pieces.sort_by_key(|piece| piece.span.start);
        Ok(pieces)
    }

    /// Returns the spans with other spellings that items have.
    fn spellings(&mut self, text: &str, words: &[Analyzed]) -> Result<Vec<Piece>, LexicalError> {
        let mut pieces = Vec::new();
        let mut is_free = vec![true; words.len()];
        for compound in possible_compounds(text, words) {
            let range = compound.words.clone();
            if !is_free[range.clone()].iter().all(|free| *free) {
                continue;
            }
            if let Some(piece) = self.joined(&compound, text, words)? {
                is_free[range].fill(false);
                pieces.push(piece);
            }
        }
        for code in codes(text, words) {
            // The end of an unfinished code is not known.
            let is_open = self.query.prefix && words[code.end - 1].span.end == text.len();
            if !is_open && is_free[code.clone()].iter().all(|free| *free) {
                is_free[code.clone()].fill(false);
                let members = &words[code];
                pieces.push(Piece {
                    span: members[0].span.start..members[members.len() - 1].span.end,
                    others: Vec::new(),
                    name: members.to_vec(),
                });
            }
        }
        for (word, _) in words.iter().zip(is_free).filter(|(_, free)| *free) {
            let others = self.apart(word, text)?;
            if !others.is_empty() {
                pieces.push(Piece {
                    span: word.span.clone(),
                    others,
                    name: Vec::new(),
                });
            }
        }
        Ok(pieces)
    }

    /// Returns the words of a compound with the spellings as one that items have; `None` without.
    fn joined(
        &mut self,
        compound: &Compound,
        text: &str,
        words: &[Analyzed],
    ) -> Result<Option<Piece>, LexicalError> {
        let members = &words[compound.words.clone()];
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            return Ok(None);
        };
        let factor = if compound.is_joined {
            1.0
        } else {
            JOINED_FACTOR
        };
        let mut others = Vec::new();
        for term in &compound.terms {
            if self.frequency(term)? > 0 {
                let word = Analyzed {
                    term: term.clone(),
                    variants: Vec::new(),
                    ..first.clone()
                };
                others.push(Spelling::words(term.clone(), vec![word], factor));
            }
        }
        let ends = [first, last].map(|w| &text[w.span.clone()]);
        if members.len() == 3 && members[1].term == "n" {
            others.extend(["and", "&"].map(|and| {
                let spelled = format!("{} {and} {}", ends[0], ends[1]);
                let terms = analyze(&spelled);
                Spelling::words(spelled, terms, JOINED_FACTOR)
            }));
        }
        let is_number = last.term.contains('/');
        let has_short = !is_number && members.iter().any(|word| is_short(word, text));
        Ok((!others.is_empty()).then(|| Piece {
            span: first.span.start..last.span.end,
            others,
            name: if has_short {
                members.to_vec()
            } else {
                Vec::new()
            },
        }))
    }

    /// Returns a word as several adjacent ones.
    fn apart(&mut self, word: &Analyzed, text: &str) -> Result<Vec<Spelling>, LexicalError> {
        let written = &text[word.span.clone()];
        if !word.plain || !word.term.starts_with(char::is_alphabetic) {
            return Ok(Vec::new());
        }
        let parts = analyze(&split_at_apostrophes(written));
        if parts.len() > 1 {
            let texts = match parts.get(1) {
                Some(and) if parts.len() == 3 && and.term == "n" => {
                    let ends = [&parts[0].term, &parts[2].term];
                    let with = |and: &str| format!("{} {and} {}", ends[0], ends[1]);
                    vec![with("n"), with("and"), with("&")]
                }
                _ => vec![split_at_apostrophes(written)],
            };
            let spelled = texts.into_iter().map(|text| {
                let terms = analyze(&text);
                Spelling::words(text, terms, 1.0)
            });
            return Ok(spelled.collect());
        }
        let folded = fold(written);
        let is_known = self.frequency(&word.term)? > 0;
        if !is_known || folded.chars().count() < MIN_SPLIT_LETTERS {
            return Ok(Vec::new());
        }
        let halves = spelling::halves(self.searcher, self.fields, &folded)?;
        let spelled = halves.map(|halves| {
            let text = halves.join(" ");
            let terms = analyze(&text);
            Spelling::words(text, terms, SPLIT_FACTOR)
        });
        Ok(spelled.into_iter().collect())
    }

    /// Returns the words of a name with its other spellings: all words side by side, or any of the
    /// long ones.
    pub(super) fn name(
        &mut self,
        name: &[Analyzed],
        mut alternatives: Vec<plan::Alternative>,
        text: &str,
    ) -> Result<Group, LexicalError> {
        let mut words = Vec::new();
        for word in name {
            let says_enough = !is_short(word, text) && !is_stop(&word.term);
            let term = says_enough.then(|| (word.term.clone(), PARTIAL_NAME_FACTOR));
            let terms = term.into_iter().collect();
            words.push(self.plan_word(&word.term, terms)?);
        }
        alternatives.push(plan::Alternative {
            factor: 1.0,
            words: AlternativeWords::Phrase(self.phrase(name)?),
        });
        self.found.terms.extend(name.iter().map(|w| w.term.clone()));
        let mut group = self.group(words, alternatives);
        group.needs_all_words = false;
        Ok(group)
    }
}

/// Returns the codes of a text, such as KB-7749-B, as ranges of its words: those without a space
/// between that have a number of several digits, few letters beside it, and no unit of measure.
fn codes(text: &str, words: &[Analyzed]) -> Vec<Range<usize>> {
    let mut codes = Vec::new();
    let mut start = 0;
    for end in 1..=words.len() {
        let is_joined = words.get(end).is_some_and(|next| {
            let gap = text.get(words[end - 1].span.end..next.span.start);
            gap.is_some_and(|gap| ["", "-", "/", ".", "_"].contains(&gap))
        });
        if is_joined {
            continue;
        }
        let members = &words[start..end];
        let is_number = |word: &&Analyzed| word.term.chars().all(|c| c.is_ascii_digit());
        let is_long = |word: &&Analyzed| word.term.len() >= MIN_CODE_DIGITS;
        let is_short = |word: &&Analyzed| word.term.chars().count() <= MAX_CODE_LETTERS;
        let mut letters = members.iter().filter(|word| !is_number(word)).peekable();
        if members.len() <= MAX_CODE_WORDS
            && letters.peek().is_some()
            && letters.all(|word| is_short(&word))
            && members.iter().filter(is_number).any(|word| is_long(&word))
            && members.iter().all(|word| word.plain)
        {
            codes.push(start..end);
        }
        start = end;
    }
    codes
}

/// Returns true for a word that says little without those beside it.
fn is_short(word: &Analyzed, text: &str) -> bool {
    fold(&text[word.span.clone()]).chars().count() <= MAX_SHORT_LETTERS
}

/// Returns a word with spaces for the apostrophes within it, but for that of a possessive.
fn split_at_apostrophes(word: &str) -> String {
    owner(word)
        .chars()
        .map(|c| if is_apostrophe(c) { ' ' } else { c })
        .collect()
}
