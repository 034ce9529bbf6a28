//! Bounds of the rating: "at least 4.5 stars", "rated above 4", 评分4.5以上.

use super::PriceRange;
use crate::nlu::{
    language::lexicon_of,
    lexicon::{Bound, Role, has},
    numbers::number_at,
    tokens::{Kind, Token},
    vocabulary::Vocabulary,
};

/// Greatest number that is taken for a rating.
const MAX_RATING: f64 = 10.0;

/// Maximum number of words between "rated" and the number.
const MAX_BETWEEN: usize = 4;

/// Returns the bounds of the rating at the beginning of `tokens`, with the number of tokens.
pub(super) fn rating_at(tokens: &[Token], vocabulary: &Vocabulary) -> Option<(usize, PriceRange)> {
    let named = name_at(tokens);
    let mut at = named;
    let mut bound = None;
    let mut is_strict = false;
    for _ in 0..MAX_BETWEEN {
        if let Some((n, found)) = lexicon_of(tokens).bound_at(&tokens[at..]) {
            bound = Some(found);
            is_strict = lexicon_of(tokens).is_strict(&tokens[at..at + n]);
            at += n;
        } else if let Some((n, _)) = vocabulary
            .role_at(&tokens[at..], |role| role == Role::Filler)
            .filter(|_| named > 0)
        {
            at += n;
        } else {
            break;
        }
    }
    let (n, number) = number_at(tokens.get(at..)?).filter(|(_, x)| *x <= MAX_RATING)?;
    at += n;
    let is_plus = |at: usize| tokens.get(at).is_some_and(|t| t.form == "+");
    at += usize::from(is_plus(at));
    let stars = stars_at(&tokens[at..]);
    if named == 0 && stars == 0 || named > 0 && stars == 0 && is_unit(tokens.get(at)) {
        return None;
    }
    at += stars;
    at += usize::from(is_plus(at));
    at += name_at(&tokens[at..]);
    // In "4 stars for under fifty" the second bound is that of a price.
    let after = lexicon_of(tokens).bound_at(&tokens[at..]);
    if let Some((n, found)) = after.filter(|(n, _)| number_at(&tokens[at + n..]).is_none()) {
        bound = bound.or(Some(found));
        at += n;
    }
    let bounds = match bound {
        Some(Bound::Max) => PriceRange {
            lte: Some(number),
            is_strict,
            ..PriceRange::default()
        },
        _ => PriceRange {
            gte: Some(number),
            is_strict,
            ..PriceRange::default()
        },
    };
    Some((at, bounds))
}

/// Length of the name of a rating, "rated" or 评分.
fn name_at(tokens: &[Token]) -> usize {
    let names = &lexicon_of(tokens).rating_names;
    let han = tokens.first().is_some_and(|t| t.kind == Kind::Han);
    (1..=2.min(tokens.len()))
        .rev()
        .find(|n| {
            let forms: Vec<_> = tokens[..*n].iter().map(|t| t.form.as_str()).collect();
            has(names, &forms.join(if han { "" } else { " " }))
        })
        .unwrap_or(0)
}

/// Length of "stars" or 分, but not of 分钟.
fn stars_at(tokens: &[Token]) -> usize {
    let hyphen = usize::from(tokens.first().is_some_and(|t| t.form == "-"));
    let form = |at: usize| tokens.get(at).map_or("", |t| t.form.as_str());
    let minutes = ["钟", "之", "级"].contains(&form(hyphen + 1));
    match has(&lexicon_of(tokens).amounts.stars, form(hyphen)) && !minutes {
        true => hyphen + 1,
        false => 0,
    }
}

fn is_unit(token: Option<&Token>) -> bool {
    token.is_some_and(|t| has(&t.language.lexicon().amounts.units, &t.form))
}
