//! Measures: numbers with units, "13 inch", 256GB, "US 9.5", 1米8, "3-6 months", 3岁以上. Those of one
//! kind compare across units.

use super::{
    language::lexicon_of,
    language::{tokens, tokens_of},
    lexicon::{Bound, Language, has},
    numbers::number_at,
    tokens::{Kind, Token},
};

/// Relative difference below which two numbers are the same.
const TOLERANCE: f64 = 0.006;

/// An interval of a quantity, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::nlu) struct Measure {
    /// Kind of the quantity, such as `length`; units of one kind are converted to one.
    pub kind: String,
    pub low: f64,
    pub high: f64,
}

impl Measure {
    /// Returns true if the intervals have a point in common.
    pub fn meets(&self, other: &Self) -> bool {
        let slack = |x: f64| {
            if x.is_finite() {
                x.abs() * TOLERANCE
            } else {
                0.0
            }
        };
        self.kind == other.kind
            && self.low - slack(self.low) <= other.high
            && other.low <= self.high + slack(self.high)
    }

    /// Returns it without its ends, for "bigger than 11 inches": values equal to them do not meet
    /// it.
    pub fn excluding_ends(mut self) -> Self {
        self.low *= 1.0 + 1.1 * TOLERANCE;
        self.high *= 1.0 - 1.1 * TOLERANCE;
        self
    }

    /// Returns the interval that a bound makes of it.
    pub fn bounded(mut self, bound: Bound) -> Self {
        match bound {
            Bound::Max => self.low = 0.0,
            Bound::Min => self.high = f64::INFINITY,
            Bound::Around => (self.low, self.high) = (self.low * 0.8, self.high * 1.2),
            Bound::Between => {}
        }
        self
    }
}

/// Returns the measure at the beginning of `tokens`, and its length.
pub(in crate::nlu) fn measure_at(tokens: &[Token]) -> Option<(usize, Measure)> {
    let before = unit_at(tokens, true);
    let skipped = before.as_ref().map_or(0, |(n, ..)| *n);
    let (n, low) = number_at(tokens.get(skipped..)?)?;
    let mut at = skipped + n;
    let mut first_unit = None;
    let mut high = low;
    if before.is_none() {
        first_unit = unit_at(&tokens[at..], false);
        if let Some((n, kind, factor)) = &first_unit {
            // 1米8 is 1.8 m.
            if let Some(Token {
                kind: Kind::Number(tenths),
                start,
                ..
            }) = tokens.get(at + n)
                && *tenths < 100.0
                && *start == tokens[at + n - 1].end
                && tokens[at].kind == Kind::Han
            {
                let scale = if *tenths < 10.0 { 10.0 } else { 100.0 };
                let value = (low + tenths / scale) * factor;
                let (low, high) = (value, value);
                return Some((
                    at + n + 1,
                    Measure {
                        kind: kind.clone(),
                        low,
                        high,
                    },
                ));
            }
        }
    }
    let after_first = at + first_unit.as_ref().map_or(0, |(n, ..)| *n);
    let joint = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|t| has(&lexicon_of(tokens).amounts.measure_ranges, &t.form))
    };
    let range = joint(after_first)
        .then(|| number_at(tokens.get(after_first + 1..)?))
        .flatten();
    if let Some((n, end)) = range
        && end >= low
    {
        high = end;
        at = after_first + 1 + n;
    } else if first_unit.is_some() {
        at = after_first;
    }
    let unit = match (before, high > low) {
        (Some((_, kind, factor)), _) => (0, kind, factor),
        (None, true) => unit_at(&tokens[at..], false).or(first_unit.map(|(_, k, f)| (0, k, f)))?,
        (None, false) => first_unit.map(|(_, k, f)| (0, k, f))?,
    };
    let (n, kind, factor) = unit;
    at += n;
    let (low, high) = (low * factor, high * factor);
    Some((at, Measure { kind, low, high }))
}

/// Returns the measure that a whole value of an item is: "500 ml", "3+ years", 3岁以上.
pub(in crate::nlu) fn measure_of(value: &str, language: Language) -> Option<Measure> {
    let tokens = tokens_of(value, language);
    let (start, bound) = bound_of(&tokens, 0).map_or((0, None), |(n, bound)| (n, Some(bound)));
    let (n, measure) = match measure_at(&tokens[start..]) {
        Some(found) => found,
        None => open_ended(&tokens[start..])?,
    };
    let after = bound_of(&tokens, start + n);
    let end = start + n + after.map_or(0, |(n, _)| n);
    // "13 inch laptop sleeve" is a text.
    if tokens.len() > end + 2 {
        return None;
    }
    Some(match bound.or(after.map(|(_, b)| b)) {
        Some(bound) => measure.bounded(bound),
        None => measure,
    })
}

/// "3+ years", "12m+".
fn open_ended(tokens: &[Token]) -> Option<(usize, Measure)> {
    let (n, low) = number_at(tokens)?;
    if tokens.get(n)?.form != "+" {
        return None;
    }
    let (m, kind, factor) = unit_at(&tokens[n + 1..], false)?;
    let (low, high) = (low * factor, f64::INFINITY);
    Some((n + 1 + m, Measure { kind, low, high }))
}

fn bound_of(tokens: &[Token], at: usize) -> Option<(usize, Bound)> {
    let ahead = tokens.get(at..)?;
    if ahead.first()?.form == "+" {
        return Some((1, Bound::Min));
    }
    lexicon_of(ahead).bound_at(ahead)
}

/// Returns the kind and the factor of the unit that a name is: "kg", "pieces".
pub(in crate::nlu) fn unit_of(name: &str) -> Option<(String, f64)> {
    let tokens = tokens(name);
    let (n, kind, factor) = unit_at(&tokens, false)?;
    (n == tokens.len()).then_some((kind, factor))
}

/// Returns the length of a unit at the beginning of `tokens`, its kind and its factor. Units of
/// sizes also stand before the number: "US 9".
fn unit_at(tokens: &[Token], before: bool) -> Option<(usize, String, f64)> {
    let skipped = usize::from(!before && tokens.first().is_some_and(|t| t.form == "-"));
    let tokens = &tokens[skipped..];
    (1..=3.min(tokens.len())).rev().find_map(|n| {
        let han = tokens[0].kind == Kind::Han;
        let forms: Vec<_> = tokens[..n].iter().map(|t| t.form.as_str()).collect();
        let name = forms.join(if han { "" } else { " " });
        lexicon_of(tokens)
            .measures
            .iter()
            .find_map(|(kind, units)| {
                let fits = !before || kind.starts_with("size_");
                let factor = fits.then(|| units.get(&name)).flatten()?;
                Some((n + skipped, kind.clone(), *factor))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_compare_across_units() {
        let meet = |a: &str, b: &str| {
            let of = |text: &str| {
                measure_of(text, Language::default()).unwrap_or_else(|| panic!("{text}"))
            };
            of(a).meets(&of(b))
        };
        for (a, b, expected) in [
            ("13 inch", "13\"", true),
            ("13.3 in", "13 in", false),
            ("256GB", "256 GB", true),
            ("1米8", "180cm", true),
            ("2 kg", "2000克", true),
            ("US 9.5", "us 9.5", true),
            ("US 9", "EU 42", false),
            ("4岁", "3-6岁", true),
            ("4 years", "3+ years", true),
            ("2 years", "3岁以上", false),
            ("8 months", "6-12 months", true),
            ("500ml", "0.5升", true),
            ("90 minutes", "1.5小时", true),
            ("48MP", "4800万像素", true),
        ] {
            assert_eq!(meet(a, b), expected, "{a} {b}");
        }
        for text in ["red", "42", "XL", "13 inch laptop sleeve case", "inch"] {
            assert_eq!(measure_of(text, Language::default()), None, "{text}");
        }
    }
}
