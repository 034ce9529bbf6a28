//! Text analysis: English words by their stems, Chinese by a dictionary (jieba) and by pairs of
//! characters, units of measure in one spelling.
//!
//! Terms of one word share a position, so that phrases hold whichever of them is asked for.

use std::{ops::Range, sync::LazyLock};

use jieba_rs::Jieba;
use rust_stemmers::{Algorithm, Stemmer};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longest term, in bytes: longer ones are cut. No word of a product is that long.
const MAX_TERM_BYTES: usize = 64;

/// Units after a number, by their spellings. They are terms of their own: "in" is also a word.
const UNITS: &[(&str, &[&str])] = &[
    ("_in", &["in", "inch", "inches", "\""]),
    ("_ft", &["ft", "foot", "feet", "'"]),
    ("_gal", &["gal", "gals", "gallon", "gallons"]),
    ("_lb", &["lb", "lbs", "pound", "pounds"]),
    ("_oz", &["oz", "ounce", "ounces"]),
    ("_qt", &["qt", "quart", "quarts"]),
    ("_w", &["w", "watt", "watts"]),
    ("_v", &["v", "volt", "volts"]),
    ("_a", &["amp", "amps"]),
    ("_yd", &["yd", "yds", "yard", "yards"]),
    ("_mm", &["mm", "millimeter", "millimeters", "毫米"]),
    ("_cm", &["cm", "centimeter", "centimeters", "厘米"]),
    ("_m", &["meter", "meters", "米"]),
    ("_l", &["liter", "liters", "litre", "litres", "升"]),
    ("_ml", &["ml", "毫升"]),
    ("_kg", &["kg", "kgs", "公斤", "千克"]),
    ("_g", &["g", "gram", "grams", "克"]),
];

/// Words without information about a product.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "in", "is", "it", "its",
    "of", "on", "or", "that", "the", "this", "to", "was", "were", "will", "with", "的", "了", "和",
    "与", "或", "在", "是",
];

static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// A term of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Analyzed {
    pub term: String,
    /// Of the word it comes from, among the words of the text.
    pub position: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// True if the term is as written, in lower case and without accents; typos are corrected in
    /// these.
    pub plain: bool,
}

/// Places of the words of the dictionary in a text, in bytes; none in a text without Chinese.
pub(crate) fn han_words(text: &str) -> Vec<Range<usize>> {
    if text.is_ascii() {
        return Vec::new();
    }
    let words = JIEBA.cut(text, false).into_iter();
    words.map(|word| word.byte_start..word.byte_end).collect()
}

/// Terms of a text, in order.
pub(super) fn analyze(text: &str) -> Vec<Analyzed> {
    let mut analysis = Analysis {
        found: Vec::new(),
        position: 0,
        after_number: false,
    };
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let kind = Kind::of(c);
        let mut end = start + c.len_utf8();
        while let Some((at, next)) = rest.peek().copied() {
            if !kind.goes_on(next, &text[at..]) {
                break;
            }
            end = at + next.len_utf8();
            rest.next();
        }
        analysis.run(kind, text, start..end);
    }
    analysis.found
}

/// Returns true for a stop word.
pub(crate) fn is_stop(term: &str) -> bool {
    STOP_WORDS.contains(&term)
}

/// Returns true for a Chinese character.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Number,
    Han,
    /// Inches or feet.
    Mark,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            c if is_han(c) => Self::Han,
            '"' | '\'' | '\u{2033}' | '\u{201d}' | '\u{2032}' | '\u{2019}' => Self::Mark,
            c if c.is_numeric() => Self::Number,
            c if c.is_alphanumeric() => Self::Word,
            _ => Self::Other,
        }
    }

    /// Returns true if a run of this kind continues at `next`, the first character of `rest`.
    fn goes_on(self, next: char, rest: &str) -> bool {
        match self {
            Self::Mark | Self::Other => false,
            Self::Word if next == '\'' || next == '\u{2019}' => rest
                .chars()
                .nth(1)
                .is_some_and(|c| Self::of(c) == Self::Word),
            Self::Word => Self::of(next) == Self::Word || is_combining_mark(next),
            Self::Number if "./,".contains(next) => rest
                .chars()
                .nth(1)
                .is_some_and(|c| Self::of(c) == Self::Number),
            kind => Self::of(next) == kind,
        }
    }
}

struct Analysis {
    found: Vec<Analyzed>,
    position: usize,
    after_number: bool,
}

impl Analysis {
    fn run(&mut self, kind: Kind, text: &str, span: Range<usize>) {
        let run = &text[span.clone()];
        match kind {
            Kind::Han => self.han(run, span.start),
            Kind::Number => {
                let number: String = run.nfkc().filter(|c| *c != ',').collect();
                self.push(number, span, true);
            }
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
        let unit = UNITS
            .iter()
            .find(|u| u.1.contains(&plain.as_str()) || u.1.contains(&mark(run)));
        if let Some((unit, _)) = unit.filter(|_| self.after_number) {
            return self.push((*unit).to_owned(), span, false);
        }
        self.push(stem(&plain), span, true);
    }

    /// Words of the dictionary and pairs of characters, each at the place of its first character.
    fn han(&mut self, run: &str, start: usize) {
        let first = self.position;
        let places: Vec<usize> = run
            .char_indices()
            .map(|(at, _)| at)
            .chain([run.len()])
            .collect();
        let mut spans: Vec<Range<usize>> = JIEBA
            .cut_for_search(run, true)
            .into_iter()
            .map(|word| word.byte_start..word.byte_end)
            .collect();
        spans.extend(places.windows(3).map(|w| w[0]..w[2]));
        spans.sort_by_key(|s| (s.start, s.end));
        spans.dedup();
        for span in spans {
            let place = places.partition_point(|p| *p < span.start);
            self.position = first + place;
            let unit = UNITS.iter().find(|u| u.1.contains(&&run[span.clone()]));
            let term = match unit {
                Some((unit, _)) if self.after_number && span.start == 0 => (*unit).to_owned(),
                _ => run[span.clone()].to_owned(),
            };
            self.push(term, start + span.start..start + span.end, false);
        }
        self.position = first + places.len() - 1;
    }

    fn push(&mut self, mut term: String, span: Range<usize>, plain: bool) {
        while term.len() > MAX_TERM_BYTES {
            term.pop();
        }
        if !term.is_empty() {
            self.found.push(Analyzed {
                term,
                position: self.position,
                span,
                plain,
            });
            self.position += 1;
        }
    }
}

/// Inches and feet as signs, in one spelling.
fn mark(run: &str) -> &str {
    match run {
        "\u{2033}" | "\u{201d}" => "\"",
        "\u{2032}" | "\u{2019}" => "'",
        other => other,
    }
}

/// In lower case, without accents, apostrophes and the forms of print.
pub(super) fn fold(word: &str) -> String {
    let folded = word
        .nfkd()
        .filter(|c| !is_combining_mark(*c) && *c != '\'' && *c != '\u{2019}');
    folded.flat_map(char::to_lowercase).collect()
}

pub(super) fn stem(word: &str) -> String {
    static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
    if word.is_ascii() {
        ENGLISH.stem(word).into_owned()
    } else {
        word.to_owned()
    }
}

/// The analyzer, for tantivy.
#[derive(Clone, Default)]
pub(super) struct Analyzer;

impl Tokenizer for Analyzer {
    type TokenStream<'a> = Terms;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Terms {
        let terms = analyze(text);
        Terms {
            terms: terms.into_iter(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        analyze(text).into_iter().map(|a| a.term).collect()
    }

    #[test]
    fn english_is_stemmed_and_folded() {
        assert_eq!(
            terms("Running Shoes, Café women's"),
            ["run", "shoe", "cafe", "women"]
        );
        assert_eq!(terms("ＡＢＣ"), ["abc"]);
        assert_eq!(terms(""), Vec::<String>::new());
        assert_eq!(analyze(&"x".repeat(1000))[0].term.len(), MAX_TERM_BYTES);
    }

    #[test]
    fn units_have_one_spelling_after_a_number() {
        for text in [
            "3/4 in. pipe",
            "3/4\" pipe",
            "3/4-inch pipe",
            "3/4 inches pipe",
        ] {
            assert_eq!(terms(text), ["3/4", "_in", "pipe"], "{text}");
        }
        assert_eq!(terms("8ft"), ["8", "_ft"]);
        assert_eq!(terms("lamp in the dark"), ["lamp", "in", "the", "dark"]);
        assert_eq!(terms("500毫升 水"), ["500", "_ml", "水"]);
        assert_eq!(terms("1,200.5"), ["1200.5"]);
    }

    #[test]
    fn codes_come_apart() {
        assert_eq!(terms("SC-141 1x6"), ["sc", "141", "1", "x", "6"]);
    }

    #[test]
    fn chinese_is_found_by_words_and_by_pairs() {
        let found = terms("红色跑鞋");
        for term in ["红色", "色跑", "跑鞋"] {
            assert!(found.contains(&term.to_owned()), "{term} in {found:?}");
        }
        let all = analyze("李宁跑鞋 red");
        assert!(
            all.iter().any(|a| a.term == "red" && a.position == 4),
            "{all:?}"
        );
        for a in &all {
            assert!("李宁跑鞋 red".get(a.span.clone()).is_some());
        }
    }
}
