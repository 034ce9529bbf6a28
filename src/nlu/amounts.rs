//! Amounts of money and the bounds they set: "under $50", "20 to 40", "1.5万以内", "两百块左右".

use vitrine_schemas::{Range, Scalar};

use super::{
    language::lexicon_of,
    lexicon::{Bound, Role, has},
    numbers::number_at,
    tokens::{Kind, Token, cuts_word},
    vocabulary::Vocabulary,
};

/// Width of "around" to either side, as a share of the amount.
const AROUND_SHARE: f64 = 0.2;

/// Bounds of the price, or of another number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PriceRange {
    /// At least.
    pub gte: Option<f64>,
    /// At most.
    pub lte: Option<f64>,
    /// True if the bounds themselves are excluded. A price of "under 50" may be 50.
    pub is_strict: bool,
}

impl From<PriceRange> for Range {
    fn from(range: PriceRange) -> Self {
        let (from, to) = (range.gte.map(Scalar::Float), range.lte.map(Scalar::Float));
        match range.is_strict {
            true => Self {
                gt: from,
                lt: to,
                ..Self::default()
            },
            false => Self {
                gte: from,
                lte: to,
                ..Self::default()
            },
        }
    }
}

impl PriceRange {
    /// Returns true if there is no bound.
    pub fn is_empty(&self) -> bool {
        self.gte.is_none() && self.lte.is_none()
    }

    fn of(bound: Bound, amount: f64) -> Self {
        let cents = |x: f64| (x * 100.0).round() / 100.0;
        match bound {
            Bound::Max => Self {
                lte: Some(amount),
                ..Self::default()
            },
            Bound::Min => Self {
                gte: Some(amount),
                ..Self::default()
            },
            Bound::Around | Bound::Between => Self {
                gte: Some(cents(amount * (1.0 - AROUND_SHARE))),
                lte: Some(cents(amount * (1.0 + AROUND_SHARE))),
                ..Self::default()
            },
        }
    }
}

/// Returns the price bounds at the beginning of `tokens`, with the number of tokens.
pub(super) fn price_at(tokens: &[Token], vocabulary: &Vocabulary) -> Option<(usize, PriceRange)> {
    let bound_at = |tokens: &[Token]| {
        let (n, role) = vocabulary.role_at(tokens, |r| matches!(r, Role::Bound(_)))?;
        if cuts_word(tokens, n) {
            return None;
        }
        let Role::Bound(bound) = role else {
            return None;
        };
        Some((n, bound))
    };
    let is_before = |found: &(usize, Bound)| !is_after_only(&tokens[..found.0]);
    let before = bound_at(tokens).filter(is_before);
    let (skipped, before) = before.map_or((0, None), |(n, bound)| (n, Some(bound)));
    if before.is_none()
        && let Some((n, range)) = two_digits(tokens)
    {
        return Some((n, range));
    }
    let (n, low) = amount_at(&tokens[skipped..])?;
    let mut at = skipped + n;
    if low.vague && before.is_none() {
        let step = 10_f64.powf(low.value.log10().floor());
        let range = PriceRange {
            gte: Some(low.value),
            lte: Some(low.value + step),
            ..PriceRange::default()
        };
        return Some((at, range));
    }
    if let Some(joint) = joint_at(&tokens[at..], before)
        && let Some((n, high)) = amount_at(&tokens[at + joint..])
        && low.value <= high.value
    {
        let range = PriceRange {
            gte: Some(low.value),
            lte: Some(high.value),
            ..PriceRange::default()
        };
        return Some((at + joint + n, range));
    }
    // In "over 50 under 200" the second bound belongs to the second amount.
    let after = bound_at(&tokens[at..]).filter(|(n, bound)| {
        before.is_none_or(|b| b == *bound) && amount_at(&tokens[at + n..]).is_none()
    });
    at += after.map_or(0, |(n, _)| n);
    let said = before.or(after.map(|(_, bound)| bound));
    let bound = match said {
        Some(Bound::Between) => (low.is_money).then_some(Bound::Min)?,
        Some(bound) => bound,
        // "a 100 dollar watch": about as much.
        None => low.is_money.then_some(Bound::Around)?,
    };
    Some((at, PriceRange::of(bound, low.value)))
}

/// Returns true for a bound that only stands after an amount: "50 tops".
fn is_after_only(tokens: &[Token]) -> bool {
    let after = &lexicon_of(tokens).amounts.bounds_after;
    matches!(tokens, [only] if has(after, &only.form))
}

/// 三五十块, 两三百: between both.
fn two_digits(tokens: &[Token]) -> Option<(usize, PriceRange)> {
    let digit = |at: usize| {
        let one = tokens.get(at..at + 1)?;
        number_at(one)
            .filter(|(_, x)| one[0].kind == Kind::Han && *x < 10.0)
            .map(|f| f.1)
    };
    let (low, high) = (digit(0)?, digit(1)?);
    let (n, unit) = number_at(tokens.get(2..)?).filter(|(_, unit)| *unit >= 10.0)?;
    let is_unit = ["十", "百", "千", "万"].contains(&tokens[2].form.as_str());
    let unit = if n == 1 { unit } else { return None };
    let end = 2 + n + currency_at(&tokens[2 + n..]);
    let range = PriceRange {
        gte: Some(low * unit),
        lte: Some(high * unit),
        ..PriceRange::default()
    };
    (is_unit && low < high && !is_measured(tokens, 2 + n)).then_some((end, range))
}

/// Length of the words between two amounts of a range. "budget 500 to 800" is a range; in "under 50
/// and 20" nobody knows.
fn joint_at(tokens: &[Token], before: Option<Bound>) -> Option<usize> {
    let amounts = &lexicon_of(tokens).amounts;
    let words = |n: usize| {
        let forms = tokens.get(..n)?.iter().map(|t| t.form.as_str());
        Some(forms.collect::<Vec<_>>().join(" "))
    };
    (1..=2).rev().find(|n| {
        words(*n).is_some_and(|words| {
            let needs_between = has(&amounts.ranges_after_between, &words);
            has(&amounts.ranges, &words) && (!needs_between || before == Some(Bound::Between))
        })
    })
}

/// An amount, with or without a currency.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Amount {
    value: f64,
    is_money: bool,
    /// 一千多: more, but less than the next such number.
    vague: bool,
}

/// An amount and its length.
fn amount_at(tokens: &[Token]) -> Option<(usize, Amount)> {
    let mut at = currency_at(tokens);
    let (n, value) = number_at(tokens.get(at..)?)?;
    at += n;
    // 200来块 is about as much, 一千多 between one and two thousand.
    let form = |at: usize| tokens.get(at).map_or("", |t| t.form.as_str());
    let some = form(at) == "来" && currency_at(&tokens[at + 1..]) > 0;
    let vague = form(at) == "多" && value >= 10.0 && !["个", "人"].contains(&form(at + 1));
    at += usize::from(vague || some);
    let after = currency_at(&tokens[at..]);
    let is_money = after > 0 || currency_at(tokens) > 0;
    let amount = Amount {
        value,
        is_money,
        vague,
    };
    (value.is_finite() && (is_money || !is_measured(tokens, at))).then_some((at + after, amount))
}

/// Returns true if a unit follows the first `n` tokens: "256g", "13 inch", 500毫升 are not prices.
fn is_measured(tokens: &[Token], n: usize) -> bool {
    let Some(next) = tokens.get(n) else {
        return false;
    };
    let form = next.form.as_str();
    let units = &lexicon_of(tokens).amounts.units;
    match next.kind {
        Kind::Word => has(units, form) || next.start == tokens[n - 1].end,
        Kind::Han => units.iter().any(|unit| {
            let forms = tokens[n..].iter().map(|t| t.form.as_str());
            unit.chars().count() <= tokens.len() - n
                && forms.take(unit.chars().count()).collect::<String>() == *unit
        }),
        _ => has(units, form),
    }
}

/// Length of a currency's name.
fn currency_at(tokens: &[Token]) -> usize {
    let longest = (1..=3.min(tokens.len())).rev();
    let name = |n: usize| {
        tokens[..n]
            .iter()
            .map(|t| t.form.as_str())
            .collect::<String>()
    };
    longest
        .into_iter()
        .find(|n| has(&lexicon_of(tokens).amounts.currencies, &name(*n)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::language::tokens;

    fn price(text: &str) -> Option<(Option<f64>, Option<f64>)> {
        let (_, range) = price_at(&tokens(text), &Vocabulary::new([]))?;
        Some((range.gte, range.lte))
    }

    #[test]
    fn bounds_in_both_languages() {
        let most = |x| Some((None, Some(x)));
        let least = |x| Some((Some(x), None));
        let both = |a, b| Some((Some(a), Some(b)));
        for (text, expected) in [
            ("under $50", most(50.0)),
            ("no more than 1,200.50 usd", most(1200.5)),
            ("$9.99 or less", most(9.99)),
            ("1.5k or more", least(1500.0)),
            ("between 20 and 40", both(20.0, 40.0)),
            ("$30-$60", both(30.0, 60.0)),
            ("around 1000", both(800.0, 1200.0)),
            ("500元以下", most(500.0)),
            ("不超过两百块", most(200.0)),
            ("一千二百元以上", least(1200.0)),
            ("1.5万以内", most(15000.0)),
            ("十万元以内", most(100000.0)),
            ("100到200元", both(100.0, 200.0)),
            ("3000元左右", both(2400.0, 3600.0)),
            ("over 50 under 200", least(50.0)),
            ("不超过200元以内", most(200.0)),
            ("budget 500 to 800", both(500.0, 800.0)),
            ("预算500到800", both(500.0, 800.0)),
            ("max 256g", None),
            ("under 13 inches", None),
            ("under 13 inches under 900", None),
            ("不超过500毫升", None),
            ("3岁以上", None),
            ("20-40cm", None),
            ("under $13 inch", most(13.0)),
            ("between 20", None),
            ("from 500 up to 1300", both(500.0, 1300.0)),
            ("under ten dollars", most(10.0)),
            ("三百到五百", both(300.0, 500.0)),
            ("一千块左右", both(800.0, 1200.0)),
            ("100块", both(80.0, 120.0)),
            ("一千多", both(1000.0, 2000.0)),
            ("三五十块钱", both(30.0, 50.0)),
            ("50 tops", most(50.0)),
            ("two hundred bucks or less", most(200.0)),
            ("40 to 20", None),
            ("50", None),
            ("under the bridge", None),
        ] {
            assert_eq!(price(text), expected, "{text}");
        }
    }
}
