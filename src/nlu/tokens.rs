//! Tokens of a text: words, numbers, single Han characters and signs, each with its span.

use unicode_normalization::char::decompose_canonical;

use super::{
    lexicon::{Language, Lexicon},
    numbers::{number_and_unit, number_in_word},
};
use crate::lexical::simplify;

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::nlu) enum Kind {
    /// Letters, in lower case and without inflection.
    Word,
    /// Digits, or a number in one word of a language that writes them so.
    Number(f64),
    /// One character of a script that is written without spaces.
    Han,
    /// A sign that may mean something: currencies, hyphens, slashes.
    Sign,
    /// A sign that ends a phrase.
    Break,
}

/// A piece of the text.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::nlu) struct Token {
    pub kind: Kind,
    /// Comparable form: lower case, simplified characters, no inflection.
    pub form: String,
    /// Language of the text.
    pub language: Language,
    /// Bytes of the text.
    pub start: usize,
    pub end: usize,
}

/// Splits a text in English or Chinese.
pub(in crate::nlu) fn tokens(text: &str) -> Vec<Token> {
    tokens_of(text, Language::default())
}

/// Splits a text.
pub(in crate::nlu) fn tokens_of(text: &str, language: Language) -> Vec<Token> {
    tokens_with(text, language, language.lexicon())
}

/// Splits a text by the lexicon of its language.
pub(in crate::nlu) fn tokens_with(text: &str, language: Language, lexicon: &Lexicon) -> Vec<Token> {
    let chars: Vec<(usize, char, char)> = text
        .char_indices()
        .map(|(at, c)| (at, c, plain(c)))
        .collect();
    let end_of = |i: usize| chars.get(i).map_or(text.len(), |(at, ..)| *at);
    let mut found: Vec<Token> = Vec::new();
    let mut i = 0;
    while let Some(&(start, _, c)) = chars.get(i) {
        let from = i;
        i += 1;
        let kind = if c.is_ascii_digit() {
            while chars.get(i).is_some_and(|_| in_number(&chars, i)) {
                i += 1;
            }
            let digits: String = chars[from..i].iter().map(|c| c.2).collect();
            Kind::Number(lexicon.forms.number(&digits))
        } else if is_han(c) {
            Kind::Han
        } else if c.is_alphabetic() {
            while chars.get(i).is_some_and(|c| in_word(c.2)) {
                i += 1;
            }
            Kind::Word
        } else if c == '"' && from > 0 && chars[from - 1].2.is_ascii_digit() {
            Kind::Word
        } else if c.is_whitespace()
            || c == '\''
            || c == '.' && is_abbreviation(text, found.last(), start, lexicon)
        {
            continue;
        } else if ",.;:!?()[]\"".contains(c) {
            Kind::Break
        } else {
            Kind::Sign
        };
        let plain: String = chars[from..i]
            .iter()
            .map(|c| c.2)
            .filter(|c| *c != '\'')
            .collect();
        let is_exclusion = plain == "-"
            && from > 0
            && chars[from - 1].2.is_whitespace()
            && chars.get(i).is_some_and(|c| c.2.is_alphabetic());
        if is_exclusion {
            // "kettle -red" as in search engines; the sign does not touch the word, which would
            // be a part of it then.
            found.push(Token {
                kind: Kind::Word,
                form: "not".to_owned(),
                language,
                start,
                end: start,
            });
            continue;
        }
        let written = &text[start..end_of(i)];
        if kind == Kind::Word
            && let Some(number) = number_in_word(written, lexicon)
        {
            let (kind, end) = (Kind::Number(number), end_of(i));
            found.push(Token {
                kind,
                form: plain,
                language,
                start,
                end,
            });
            continue;
        }
        if kind == Kind::Word
            && let Some((number, seam)) = number_and_unit(written, lexicon)
        {
            let (digits, unit) = written.split_at(seam);
            found.push(Token {
                kind: Kind::Number(number),
                form: digits.to_lowercase(),
                language,
                start,
                end: start + seam,
            });
            found.push(Token {
                kind,
                form: lexicon.forms.form(unit, unit),
                language,
                start: start + seam,
                end: end_of(i),
            });
            continue;
        }
        let form = if plain == "\"" && kind == Kind::Word {
            "inch".to_owned()
        } else if plain == "g" && written == "G" && from > 0 && chars[from - 1].2.is_ascii_digit() {
            // 256G is memory, 256g a weight.
            "gb".to_owned()
        } else if kind == Kind::Word {
            lexicon.forms.form(written, &plain)
        } else {
            plain
        };
        found.push(Token {
            kind,
            form,
            language,
            start,
            end: end_of(i),
        });
    }
    found
}

/// Returns true if a dot belongs to an abbreviation directly before it.
fn is_abbreviation(text: &str, last: Option<&Token>, at: usize, lexicon: &Lexicon) -> bool {
    last.is_some_and(|token| {
        let word = text[token.start..token.end].to_lowercase();
        token.end == at && lexicon.forms.abbreviations.contains(&word)
    })
}

/// The key under which a phrase is looked up.
pub(in crate::nlu) fn key(tokens: &[Token]) -> String {
    let parts = tokens
        .iter()
        .filter(|t| t.form != "-" && t.form != "&")
        .map(|t| t.form.as_str());
    parts.collect::<Vec<_>>().join(" ")
}

fn in_number(chars: &[(usize, char, char)], i: usize) -> bool {
    let digit = |i: usize| chars.get(i).is_some_and(|c| c.2.is_ascii_digit());
    digit(i) || ".,".contains(chars[i].2) && digit(i + 1) && digit(i - 1)
}

fn in_word(c: char) -> bool {
    c == '\'' || c.is_alphabetic() && !is_han(c)
}

/// Lower case, in one width, without accents, simplified, one kind of apostrophe, comma, stop and
/// hyphen.
fn plain(c: char) -> char {
    let c = match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{2018}' | '\u{2019}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' => '-',
        '\u{3002}' => '.',
        '\u{201c}'..='\u{201e}' | '«' | '»' | '\u{300a}'..='\u{300f}' => '"',
        '\u{a5}' => '\u{ffe5}',
        c if is_han(c) => simplify(c),
        c if ('\u{c0}'..='\u{52f}').contains(&c) => without_accents(c),
        c => c,
    };
    c.to_lowercase().next().unwrap_or(c)
}

/// Returns the letter below the accents of a Latin, Greek or Cyrillic one.
fn without_accents(c: char) -> char {
    let mut letter = None;
    decompose_canonical(c, |part| {
        letter.get_or_insert(part);
    });
    letter.unwrap_or(c)
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Returns the word without accents.
pub(in crate::nlu) fn unaccented(word: &str) -> String {
    word.chars().map(without_accents).collect()
}

/// Returns true if one Chinese character, which may be a bound, begins another word: 内 of 内存.
pub(super) fn cuts_word(tokens: &[Token], n: usize) -> bool {
    let next = tokens.get(n).filter(|t| t.kind == Kind::Han);
    n == 1
        && ["内", "起"].contains(&tokens[0].form.as_str())
        && next.is_some_and(|t| !["的", "吧", "啊"].contains(&t.form.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.form).collect()
    }

    #[test]
    fn words_numbers_and_han_come_apart() {
        assert_eq!(
            forms("XXL棉T恤 1,200.50"),
            ["xxl", "棉", "t", "恤", "1,200.50"]
        );
        assert_eq!(tokens("1,200.50,")[0].kind, Kind::Number(1200.5));
        assert_eq!(forms("women’s Dresses"), ["women", "dress"]);
        assert_eq!(forms("Nescafé Überraschung"), ["nescafe", "uberraschung"]);
        assert_eq!(forms("ＡＢ　$5"), ["ab", "$", "5"]);
        assert_eq!(
            forms("bus glass shoes batteries"),
            ["bus", "glass", "shoe", "battery"]
        );
        assert_eq!(forms("13\" 紅色"), ["13", "inch", "红", "色"]);
        assert!(tokens("").is_empty());
    }

    #[test]
    fn german_numbers_and_units_come_apart() {
        let german = crate::nlu::lexicon::german();
        let kinds = |text: &str| -> Vec<String> {
            let written = |t: Token| match t.kind {
                Kind::Number(x) => x.to_string(),
                _ => t.form,
            };
            tokens_of(text, german).into_iter().map(written).collect()
        };
        assert_eq!(kinds("sechsjährige"), ["6", "jahrig"]);
        assert_eq!(kinds("fünfundzwanzig zweihundertfünfzig"), ["25", "250"]);
        assert_eq!(kinds("max. 1.299,90 €"), ["max", "1299.9", "€"]);
        assert_eq!(kinds("ein Achter"), ["ein", "acht"]);
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "红色 shoes, 4５";
        let cut: Vec<_> = tokens(text).iter().map(|t| &text[t.start..t.end]).collect();
        assert_eq!(cut, ["红", "色", "shoes", ",", "4５"]);
    }
}
