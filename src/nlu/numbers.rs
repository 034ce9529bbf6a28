//! Numbers as shoppers write them: digits, words and Chinese characters.

use super::{
    language::lexicon_of,
    lexicon::NumberSum,
    tokens::{Kind, Token},
};

/// Returns the number at the beginning of `tokens`, and its length.
pub(super) fn number_at(tokens: &[Token]) -> Option<(usize, f64)> {
    let (mut n, mut number) = match tokens.first()?.kind {
        Kind::Number(number) => (1, number),
        Kind::Word => words(tokens)?,
        _ => han(tokens)?,
    };
    while let Some(factor) = tokens
        .get(n)
        .and_then(|t| lexicon_of(tokens).amounts.factors.get(&t.form))
    {
        number *= factor;
        n += 1;
    }
    Some((n, number))
}

/// "two hundred and fifty", "twenty-five", "a hundred".
fn words(tokens: &[Token]) -> Option<(usize, f64)> {
    let amounts = &lexicon_of(tokens).amounts;
    let word = |at: usize| {
        let form = &tokens.get(at)?.form;
        amounts.number_words.get(form).copied()
    };
    let is = |at: usize, form: &str| tokens.get(at).is_some_and(|t| t.form == form);
    let mut n = usize::from(is(0, "a") && word(1).is_some_and(|x| x >= 100.0));
    let (mut sum, mut found) = (NumberSum::default(), false);
    loop {
        let skipped = usize::from(found && (is(n, "-") || is(n, "and") && sum.section >= 100.0));
        let Some(value) = word(n + skipped).filter(|value| sum.continues_with(*value)) else {
            break;
        };
        sum.add(value);
        found = true;
        n += skipped + 1;
    }
    found.then(|| (n, sum.value()))
}

/// A number below 100,000,000 in Chinese characters, also 一百五 and 两千三.
fn han(tokens: &[Token]) -> Option<(usize, f64)> {
    let (mut total, mut section, mut digit, mut n) = (0.0, 0.0, None, 0);
    let mut last_unit = 1.0;
    for token in tokens.iter().take_while(|t| t.kind == Kind::Han) {
        let c = token.form.chars().next()?;
        if let Some(value) = "零一二三四五六七八九".chars().position(|d| d == c) {
            if value == 0 {
                last_unit = 1.0;
            }
            digit = Some(value as f64);
        } else if c == '两' {
            digit = Some(2.0);
        } else if let Some(unit) = [('十', 10.0), ('百', 100.0), ('千', 1000.0)]
            .iter()
            .find(|u| u.0 == c)
        {
            section += digit.take().unwrap_or(1.0) * unit.1;
            last_unit = unit.1;
        } else if c == '万' && n > 0 {
            total = (section + digit.take().unwrap_or(0.0)) * 1e4;
            section = 0.0;
            last_unit = 1e4;
        } else {
            break;
        }
        n += 1;
    }
    let shortened = if last_unit >= 100.0 {
        last_unit / 10.0
    } else {
        1.0
    };
    (n > 0).then(|| (n, total + section + digit.unwrap_or(0.0) * shortened))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::{
        language::{german, tokens, tokens_of},
        lexicon::number_in_word,
    };

    #[test]
    fn german_numbers_are_one_word() {
        let german = german();
        for (word, expected) in [
            ("eins", Some(1.0)),
            ("ein", None),
            ("zwölf", Some(12.0)),
            ("siebzehn", Some(17.0)),
            ("fünfundzwanzig", Some(25.0)),
            ("fuenfunddreissig", Some(35.0)),
            ("hundert", Some(100.0)),
            ("einhunderteins", Some(101.0)),
            ("zweihundertfünfzig", Some(250.0)),
            ("dreitausendfünfhundert", Some(3500.0)),
            ("tausendzweihundertvierunddreißig", Some(1234.0)),
            ("anderthalb", Some(1.5)),
            ("Dreieck", None),
            ("und", None),
        ] {
            assert_eq!(number_in_word(word, german.lexicon()), expected, "{word}");
        }
        let tokens = tokens_of("zwei tausend Euro", german);
        assert_eq!(number_at(&tokens), Some((2, 2000.0)));
    }

    #[test]
    fn digits_words_and_characters_are_numbers() {
        for (text, expected) in [
            ("1,200.50", Some(1200.5)),
            ("1.5k", Some(1500.0)),
            ("ten", Some(10.0)),
            ("twenty-five dollars", Some(25.0)),
            ("two hundred and fifty", Some(250.0)),
            ("a hundred", Some(100.0)),
            ("three thousand five hundred", Some(3500.0)),
            ("twenty thirty", Some(20.0)),
            ("三百", Some(300.0)),
            ("一百五", Some(150.0)),
            ("一千零五", Some(1005.0)),
            ("两千三", Some(2300.0)),
            ("1.5万", Some(15000.0)),
            ("a shirt", None),
            ("红", None),
        ] {
            assert_eq!(number_at(&tokens(text)).map(|f| f.1), expected, "{text}");
        }
    }
}
