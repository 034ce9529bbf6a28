//! Positions in a list of hits: "the second one", "number 3", 第二个, 最后一个.

use crate::nlu::{
    language::lexicon_of,
    lexicon::has,
    tokens::{Kind, Token},
};

/// A position, from the beginning or from the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Position {
    /// 0 is the first.
    At(usize),
    /// 0 is the last.
    FromEnd(usize),
}

/// A position and its wording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PositionPhrase {
    pub position: Position,
    /// Number of tokens.
    pub length: usize,
    /// True if the words cannot mean anything else.
    pub sure: bool,
}

impl Position {
    /// Returns the index among `n` hits; `None` if there are fewer.
    pub fn index(self, n: usize) -> Option<usize> {
        match self {
            Self::At(at) => (at < n).then_some(at),
            Self::FromEnd(at) => n.checked_sub(at + 1),
        }
    }
}

/// Returns the position at the beginning of `tokens`.
pub(super) fn position_at(tokens: &[Token]) -> Option<PositionPhrase> {
    chinese(tokens).or_else(|| counted(tokens))
}

/// "the second one", "number 3", "das 2.".
fn counted(tokens: &[Token]) -> Option<PositionPhrase> {
    let form = |at: usize| tokens.get(at).map(|t| t.form.as_str());
    let words = &lexicon_of(tokens).positions;
    let the = usize::from(has(&words.articles, form(0)?));
    if has(&words.number_marks, form(the)?) {
        let number = number(tokens.get(the + 1)?)?;
        return Some(PositionPhrase {
            position: Position::At(number.checked_sub(1)?),
            length: the + 2,
            sure: true,
        });
    }
    let numbered = matches!(tokens[the].kind, Kind::Number(_))
        && form(the + 1).is_some_and(|f| {
            has(&words.ordinal_marks, f) && (the > 0 || tokens[the + 1].kind == Kind::Word)
        });
    let (position, n) = match form(the)? {
        word if has(&words.last, word) => (Position::FromEnd(0), 1),
        word if has(&words.first, word) => (Position::At(0), 1),
        _ if numbered => (Position::At(number(&tokens[the])?.checked_sub(1)?), 2),
        word => (
            Position::At(words.ordinals.iter().position(|o| *o == word)?),
            1,
        ),
    };
    let counted = form(the + n).is_some_and(|f| has(&words.item_nouns, f));
    Some(PositionPhrase {
        position,
        length: the + n + usize::from(counted),
        sure: counted,
    })
}

/// 第二个, 第2款, 倒数第二个, 最后一个.
fn chinese(tokens: &[Token]) -> Option<PositionPhrase> {
    let form = |at: usize| tokens.get(at).map(|t| t.form.as_str());
    let is = |at: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| form(at + i).is_some_and(|f| f.chars().eq([c])))
    };
    let classifiers = &lexicon_of(tokens).positions.classifiers;
    let classifier = |at: usize| usize::from(form(at).is_some_and(|f| has(classifiers, f)));
    if is(0, "最后") {
        let one = usize::from(matches!(form(2), Some("一" | "那" | "这")));
        let counted = classifier(2 + one);
        return Some(PositionPhrase {
            position: Position::FromEnd(0),
            length: 2 + one + counted,
            sure: counted == 1,
        });
    }
    let from_end = is(0, "倒数");
    let at = if from_end { 2 } else { 0 };
    if form(at)? != "第" {
        return None;
    }
    let (n, number) = match tokens.get(at + 1)?.kind {
        Kind::Number(_) => (1, number(&tokens[at + 1])?),
        _ => han(&tokens[at + 1..])?,
    };
    let position = number.checked_sub(1)?;
    let counted = classifier(at + 1 + n);
    Some(PositionPhrase {
        position: if from_end {
            Position::FromEnd(position)
        } else {
            Position::At(position)
        },
        length: at + 1 + n + counted,
        sure: counted == 1,
    })
}

fn number(token: &Token) -> Option<usize> {
    match token.kind {
        Kind::Number(x) if x.fract() == 0.0 && (1.0..=1000.0).contains(&x) => Some(x as usize),
        _ => {
            let mut numbers = token.language.lexicon().positions.numbers.iter();
            Some(numbers.position(|n| *n == token.form)? + 1)
        }
    }
}

/// A number up to 99 in Chinese characters, and its length.
fn han(tokens: &[Token]) -> Option<(usize, usize)> {
    let digit = |at: usize| {
        let c = tokens.get(at)?.form.chars().next()?;
        Some("一二三四五六七八九".chars().position(|d| d == c)? + 1)
    };
    let is_ten = |at: usize| tokens.get(at).is_some_and(|t| t.form == "十");
    match digit(0) {
        Some(tens) if is_ten(1) => {
            Some(digit(2).map_or((2, tens * 10), |ones| (3, tens * 10 + ones)))
        }
        Some(ones) => Some((1, ones)),
        None if is_ten(0) => Some(digit(1).map_or((1, 10), |ones| (2, 10 + ones))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::language::tokens;

    #[test]
    fn positions_in_both_languages() {
        let at = |n| Some(Position::At(n));
        for (text, position) in [
            ("the second one", at(1)),
            ("second", at(1)),
            ("the 3rd", at(2)),
            ("number 2", at(1)),
            ("number two", at(1)),
            ("#4", at(3)),
            ("the last one", Some(Position::FromEnd(0))),
            ("第二个", at(1)),
            ("第12款", at(11)),
            ("第十二个", at(11)),
            ("第二十一个", at(20)),
            ("最后一个", Some(Position::FromEnd(0))),
            ("倒数第二个", Some(Position::FromEnd(1))),
            ("two", None),
            ("number 0", None),
            ("第", None),
            ("", None),
        ] {
            assert_eq!(
                position_at(&tokens(text)).map(|s| s.position),
                position,
                "{text}"
            );
        }
        assert_eq!(Position::FromEnd(1).index(3), Some(1));
        assert_eq!(Position::FromEnd(3).index(3), None);
        assert_eq!(Position::At(3).index(3), None);
    }
}
