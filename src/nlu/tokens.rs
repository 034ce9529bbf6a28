//! Tokens of a text: words, numbers, single Han characters and signs, each with its span.

use super::{
    letters::{is_han, plain},
    lexicon::{Language, Lexicon, number_and_unit, number_in_word},
};

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
    use crate::nlu::language::{german, tokens, tokens_of};

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
        let german = german();
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
