//! Tokens of a text: words, numbers, single Han characters and signs, each with its span.

use unicode_normalization::char::decompose_canonical;

use crate::lexical::simplify;

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::nlu) enum Kind {
    /// Letters, in lower case and without the ending of a plural.
    Word,
    /// Digits.
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
    /// Comparable form: lower case, simplified characters, no ending of a plural.
    pub form: String,
    /// Bytes of the text.
    pub start: usize,
    pub end: usize,
}

/// Splits a text.
pub(in crate::nlu) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<(usize, char, char)> = text
        .char_indices()
        .map(|(at, c)| (at, c, plain(c)))
        .collect();
    let end_of = |i: usize| chars.get(i).map_or(text.len(), |(at, ..)| *at);
    let mut found = Vec::new();
    let mut i = 0;
    while let Some(&(start, _, c)) = chars.get(i) {
        let from = i;
        i += 1;
        let kind = if c.is_ascii_digit() {
            while chars.get(i).is_some_and(|_| in_number(&chars, i)) {
                i += 1;
            }
            let digits: String = chars[from..i]
                .iter()
                .map(|c| c.2)
                .filter(|c| *c != ',')
                .collect();
            Kind::Number(digits.parse().unwrap_or(f64::INFINITY))
        } else if is_han(c) {
            Kind::Han
        } else if c.is_alphabetic() {
            while chars.get(i).is_some_and(|c| in_word(c.2)) {
                i += 1;
            }
            Kind::Word
        } else if c == '"' && from > 0 && chars[from - 1].2.is_ascii_digit() {
            Kind::Word
        } else if c.is_whitespace() || c == '\'' {
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
            // "kettle -red" as in search engines.
            found.push(Token {
                kind: Kind::Word,
                form: "not".to_owned(),
                start,
                end: end_of(i),
            });
            continue;
        }
        let form = if plain == "\"" && kind == Kind::Word {
            "inch".to_owned()
        } else if plain == "g"
            && &text[start..end_of(i)] == "G"
            && from > 0
            && chars[from - 1].2.is_ascii_digit()
        {
            // 256G is memory, 256g a weight.
            "gb".to_owned()
        } else if kind == Kind::Word {
            stem(&plain)
        } else {
            plain
        };
        found.push(Token {
            kind,
            form,
            start,
            end: end_of(i),
        });
    }
    found
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

/// A word without the ending of an English plural.
fn stem(word: &str) -> String {
    let cut = |n: usize| word[..word.len() - n].to_owned();
    let ends = |endings: &[&str]| endings.iter().any(|e| word.ends_with(e));
    match word.len() {
        0..=3 => word.to_owned(),
        _ if ends(&["ies"]) => cut(3) + "y",
        _ if ends(&["sses", "ches", "shes", "xes", "zes"]) => cut(2),
        _ if ends(&["ss", "us", "is"]) => word.to_owned(),
        _ if ends(&["s"]) => cut(1),
        _ => word.to_owned(),
    }
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
    fn places_are_those_of_the_text() {
        let text = "红色 shoes, 4５";
        let cut: Vec<_> = tokens(text).iter().map(|t| &text[t.start..t.end]).collect();
        assert_eq!(cut, ["红", "色", "shoes", ",", "4５"]);
    }
}
