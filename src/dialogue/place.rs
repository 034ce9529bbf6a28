//! Places in a list of hits: "the second one", "number 3", 第二个, 最后一个.

use super::lexicon::{CLASSIFIERS, NUMBERS, ORDINALS};
use crate::understanding::token::{Kind, Token};

/// What is counted, after a place.
const COUNTED: &[&str] = &[
    "one", "item", "result", "product", "option", "hit", "picture", "photo", "model",
];

/// Before a number that is a place.
const MARKS: &[&str] = &["number", "#", "item", "result", "option", "nr", "num"];

/// A place, from the beginning or from the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// 0 is the first.
    At(usize),
    /// 0 is the last.
    FromEnd(usize),
}

/// A place with how it is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said {
    pub place: Place,
    /// Tokens.
    pub length: usize,
    /// Whether the words can mean nothing else.
    pub sure: bool,
}

impl Place {
    /// The one meant among `n`.
    pub fn of(self, n: usize) -> Option<usize> {
        match self {
            Self::At(at) => (at < n).then_some(at),
            Self::FromEnd(at) => n.checked_sub(at + 1),
        }
    }
}

/// The place that begins at `tokens`.
pub(super) fn place_at(tokens: &[Token]) -> Option<Said> {
    chinese(tokens).or_else(|| english(tokens))
}

fn english(tokens: &[Token]) -> Option<Said> {
    let form = |at: usize| tokens.get(at).map(|t| t.form.as_str());
    let the = usize::from(form(0) == Some("the"));
    if MARKS.contains(&form(the)?) {
        let number = number(tokens.get(the + 1)?)?;
        return Some(Said {
            place: Place::At(number.checked_sub(1)?),
            length: the + 2,
            sure: true,
        });
    }
    let numbered = matches!(tokens[the].kind, Kind::Number(_))
        && form(the + 1).is_some_and(|f| ["st", "nd", "rd", "th"].contains(&f));
    let (place, n) = match form(the)? {
        "last" | "final" | "bottom" => (Place::FromEnd(0), 1),
        "top" => (Place::At(0), 1),
        _ if numbered => (Place::At(number(&tokens[the])?.checked_sub(1)?), 2),
        word => (Place::At(ORDINALS.iter().position(|o| *o == word)?), 1),
    };
    let counted = form(the + n).is_some_and(|f| COUNTED.contains(&f));
    Some(Said {
        place,
        length: the + n + usize::from(counted),
        sure: counted,
    })
}

/// 第二个, 第2款, 倒数第二个, 最后一个.
fn chinese(tokens: &[Token]) -> Option<Said> {
    let form = |at: usize| tokens.get(at).map(|t| t.form.as_str());
    let is = |at: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(i, c)| form(at + i).is_some_and(|f| f.chars().eq([c])))
    };
    let classifier = |at: usize| usize::from(form(at).is_some_and(|f| CLASSIFIERS.contains(f)));
    if is(0, "最后") {
        let one = usize::from(matches!(form(2), Some("一" | "那" | "这")));
        let counted = classifier(2 + one);
        return Some(Said {
            place: Place::FromEnd(0),
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
    let place = number.checked_sub(1)?;
    let counted = classifier(at + 1 + n);
    Some(Said {
        place: if from_end {
            Place::FromEnd(place)
        } else {
            Place::At(place)
        },
        length: at + 1 + n + counted,
        sure: counted == 1,
    })
}

fn number(token: &Token) -> Option<usize> {
    match token.kind {
        Kind::Number(x) if x.fract() == 0.0 && (1.0..=1000.0).contains(&x) => Some(x as usize),
        _ => Some(NUMBERS.iter().position(|n| *n == token.form)? + 1),
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
    use crate::understanding::token::tokens;

    #[test]
    fn places_in_both_languages() {
        let at = |n| Some(Place::At(n));
        for (text, place) in [
            ("the second one", at(1)),
            ("second", at(1)),
            ("the 3rd", at(2)),
            ("number 2", at(1)),
            ("number two", at(1)),
            ("#4", at(3)),
            ("the last one", Some(Place::FromEnd(0))),
            ("第二个", at(1)),
            ("第12款", at(11)),
            ("第十二个", at(11)),
            ("第二十一个", at(20)),
            ("最后一个", Some(Place::FromEnd(0))),
            ("倒数第二个", Some(Place::FromEnd(1))),
            ("two", None),
            ("number 0", None),
            ("第", None),
            ("", None),
        ] {
            assert_eq!(place_at(&tokens(text)).map(|s| s.place), place, "{text}");
        }
        assert_eq!(Place::FromEnd(1).of(3), Some(1));
        assert_eq!(Place::FromEnd(3).of(3), None);
        assert_eq!(Place::At(3).of(3), None);
    }
}
