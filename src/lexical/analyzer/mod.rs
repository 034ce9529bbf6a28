//! Text analysis: English words by their stems, Chinese by a dictionary (jieba) and by pairs of
//! characters, other scripts without spaces by pairs, numbers and units of measure in one spelling.
//!
//! Terms of one word share a position, so that phrases hold whichever of them is asked for. A text
//! of an item has more terms than the same text as a query ([`index_terms`]): the parts and the
//! joined spellings of its words, so that a query finds them however it is spelled.

mod characters;
mod compounds;
mod emoji;
mod english;
mod function_words;
mod han;
mod kinds;
mod numbers;
#[cfg(test)]
mod tests;
mod units;
mod unspaced;

use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

pub(crate) use self::{
    characters::is_han,
    function_words::is_stop,
    han::{han_words, simplify},
};
use self::{
    characters::narrow,
    kinds::Kind,
    units::{mark, unit},
};
pub(super) use self::{
    characters::{fold, is_apostrophe, with_digraphs},
    compounds::{Compound, possible_compounds},
    english::stem,
    function_words::is_function_word,
};

/// Longest term, in bytes: longer ones are cut. No word of a product is that long.
const MAX_TERM_BYTES: usize = 64;

/// Shortest part of a word with apostrophes that is a term of its own, in letters.
const MIN_PART_LETTERS: usize = 3;

/// A term of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Analyzed {
    pub term: String,
    /// Other spellings of the whole word.
    pub variants: Vec<String>,
    /// Index of the word it comes from, among the words of the text.
    pub position: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// True if the term is as written, in lower case and without accents; typos are corrected in
    /// these.
    pub plain: bool,
}

/// Returns the terms of a text, in order; as queries and phrases are read.
pub(super) fn analyze(text: &str) -> Vec<Analyzed> {
    Analysis::of(text).found
}

/// Returns the terms that an item with a text is found by, in order.
pub(super) fn index_terms(text: &str) -> Vec<Analyzed> {
    let Analysis {
        found, mut besides, ..
    } = Analysis::of(text);
    for compound in compounds::compounds(text, &found) {
        let (first, last) = (&found[compound.words.start], &found[compound.words.end - 1]);
        let terms = compound.terms.into_iter().map(|term| Analyzed {
            span: first.span.start..last.span.end,
            ..Analyzed::of(term, first.position, first.span.clone())
        });
        besides.extend(terms);
    }
    for word in &found {
        let variants = word.variants.iter().cloned();
        besides.extend(variants.map(|v| Analyzed::of(v, word.position, word.span.clone())));
    }
    let mut all = found;
    all.append(&mut besides);
    all.sort_by(|a, b| (a.position, &a.term).cmp(&(b.position, &b.term)));
    all.dedup_by(|a, b| a.position == b.position && a.term == b.term);
    all
}

impl Analyzed {
    fn of(mut term: String, position: usize, span: Range<usize>) -> Self {
        while term.len() > MAX_TERM_BYTES {
            term.pop();
        }
        Self {
            term,
            variants: Vec::new(),
            position,
            span,
            plain: false,
        }
    }
}

/// Terms of a text as they are found.
struct Analysis<'a> {
    text: &'a str,
    found: Vec<Analyzed>,
    /// Further terms of the index.
    besides: Vec<Analyzed>,
    position: usize,
    after_number: bool,
}

impl<'a> Analysis<'a> {
    fn of(text: &'a str) -> Self {
        let mut analysis = Self {
            text,
            found: Vec::new(),
            besides: Vec::new(),
            position: 0,
            after_number: false,
        };
        let (mut at, mut before) = (0, None);
        while at < text.len() {
            let kind = Kind::at(&text[at..], before);
            let end = at + kind.length(&text[at..]);
            analysis.run(kind, at..end);
            before = text[at..end].chars().next_back();
            at = end;
        }
        analysis
    }

    fn run(&mut self, kind: Kind, span: Range<usize>) {
        let run = &self.text[span.clone()];
        match kind {
            Kind::Han => self.han(run, span.start),
            Kind::Unspaced => self.unspaced(run, span.start),
            Kind::Number => self.number(run, span.start),
            Kind::Emoji => self.emoji(run, span),
            Kind::Plus => self.push("plus".to_owned(), None, span, false),
            Kind::Mark if !self.after_number => {}
            Kind::Word | Kind::Mark => self.word(run, span),
            Kind::Other => {
                // "12-gauge" and "12 in" have a number before the unit, "12 x in" has not.
                self.after_number &= run == "-" || run.trim().is_empty();
                return;
            }
        }
        self.after_number = kind == Kind::Number;
    }

    fn word(&mut self, run: &str, span: Range<usize>) {
        let plain = fold(run);
        let sign_of_unit = run.chars().next().and_then(mark).and_then(unit);
        if let Some(unit) = unit(&plain).or(sign_of_unit).filter(|_| self.after_number) {
            if !is_stop(&plain) {
                self.push_besides(stem(&plain), span.clone());
            }
            return self.push(unit.to_owned(), None, span, false);
        }
        let name = run.trim_end_matches(|c| matches!(narrow(c), '+' | '#'));
        if name.len() < run.len() {
            self.push_besides(stem(&fold(name)), span.clone());
            return self.push(plain, None, span, false);
        }
        let owner = owner(run);
        for part in owner.split(is_apostrophe).filter(|p| p.len() < owner.len()) {
            if part.chars().count() >= MIN_PART_LETTERS {
                self.push_besides(stem(&fold(part)), span.clone());
            }
        }
        let variant = with_digraphs(owner).map(|word| stem(&word));
        self.push(stem(&fold(owner)), variant, span, true);
    }

    fn number(&mut self, run: &str, start: usize) {
        for number in numbers::numbers(run) {
            let span = start + number.span.start..start + number.span.end;
            self.push(number.term, number.variant, span, true);
        }
    }

    fn emoji(&mut self, run: &str, span: Range<usize>) {
        for part in emoji::parts(run) {
            self.push_besides(part, span.clone());
        }
        self.push(emoji::term(run), None, span, false);
    }

    /// Words of the dictionary and pairs of characters, each at the place of its first character;
    /// single characters besides.
    fn han(&mut self, run: &str, start: usize) {
        let first = self.position;
        for word in han::terms(run) {
            self.position = first + word.place;
            let span = start + word.span.start..start + word.span.end;
            let unit = unit(&word.term).filter(|_| self.after_number && word.span.start == 0);
            let term = unit.map_or(word.term, str::to_owned);
            self.push(term, None, span, false);
        }
        for (place, (at, c)) in run.char_indices().enumerate() {
            self.position = first + place;
            let span = start + at..start + at + c.len_utf8();
            self.push_besides(han::simplify(c).to_string(), span);
        }
        self.position = first + run.chars().count();
    }

    /// Pairs of characters, each at the place of its first one; single characters besides.
    fn unspaced(&mut self, run: &str, start: usize) {
        let characters = unspaced::characters(run);
        let first = self.position;
        for (place, one) in characters.iter().enumerate() {
            self.position = first + place;
            let pair = characters.get(place + 1).map(|next| one.start..next.end);
            if pair.is_some() || characters.len() == 1 {
                let part = pair.unwrap_or_else(|| one.clone());
                let span = start + part.start..start + part.end;
                self.push(unspaced::term(&run[part]), None, span, false);
            }
            self.position = first + place;
            let span = start + one.start..start + one.end;
            self.push_besides(unspaced::term(&run[one.clone()]), span);
        }
        self.position = first + characters.len();
    }

    fn push(&mut self, term: String, variant: Option<String>, span: Range<usize>, plain: bool) {
        let mut word = Analyzed::of(term, self.position, span);
        if word.term.is_empty() {
            return;
        }
        let variant = variant.filter(|v| *v != word.term && v.len() <= MAX_TERM_BYTES);
        word.variants.extend(variant);
        self.found.push(Analyzed { plain, ..word });
        self.position += 1;
    }

    fn push_besides(&mut self, term: String, span: Range<usize>) {
        let word = Analyzed::of(term, self.position, span);
        if !word.term.is_empty() {
            self.besides.push(word);
        }
    }
}

/// Returns a word without the s of a possessive.
pub(super) fn owner(word: &str) -> &str {
    let start = word.strip_suffix(['s', 'S', '\u{ff53}']);
    let start = start.and_then(|start| start.strip_suffix(is_apostrophe));
    start.filter(|start| !start.is_empty()).unwrap_or(word)
}

/// The analyzer, for tantivy.
#[derive(Clone, Default)]
pub(super) struct Analyzer;

impl Tokenizer for Analyzer {
    type TokenStream<'a> = Terms;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms {
        Terms {
            terms: index_terms(text).into_iter(),
            token: Token::default(),
        }
    }
}

/// Terms, one after another.
pub(super) struct Terms {
    terms: std::vec::IntoIter<Analyzed>,
    token: Token,
}

impl TokenStream for Terms {
    fn advance(&mut self) -> bool {
        let Some(next) = self.terms.next() else {
            return false;
        };
        self.token = Token {
            offset_from: next.span.start,
            offset_to: next.span.end,
            position: next.position,
            text: next.term,
            position_length: 1,
        };
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
