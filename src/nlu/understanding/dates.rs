//! Dates of release: "released after june 2025", "published before 2020", 2026年上市.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::nlu::{
    language::lexicon_of,
    lexicon::has,
    tokens::{Kind, Token},
};

/// Years that are taken for dates.
const YEARS: std::ops::RangeInclusive<f64> = 1990.0..=2100.0;

/// Maximum number of words before and after a date that belong to it.
const MAX_WORDS_BESIDE: usize = 3;

/// Maximum number of tokens of a word of the lexicon: Chinese characters are tokens.
const MAX_WORD_TOKENS: usize = 4;

/// Days from `from` on, before `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
}

/// A year, month or day: its first day, and the day after it.
#[derive(Clone, Copy)]
struct Date {
    first: NaiveDate,
    end: NaiveDate,
    /// True for a year that is only a number.
    is_bare: bool,
}

/// Side of a date on which an interval is.
#[derive(Clone, Copy)]
enum Side {
    Since,
    After,
    Before,
    Until,
}

/// Returns the interval that a date of release at the beginning of `tokens` means, with the number
/// of tokens. A date needs a word of a release beside it, or a side and more than a bare number.
pub(super) fn interval_at(tokens: &[Token]) -> Option<(usize, Interval)> {
    let mut beside = Beside::default();
    let before = beside.read(tokens);
    let (n, date) = date_at(tokens.get(before..)?)?;
    let end = before + n;
    let after = beside.read(&tokens[end..]);
    // "up to 2000" and "2000起" are prices.
    let may_be_bare = matches!(beside.side, Some(Side::After | Side::Before))
        && !tokens.iter().any(|token| token.kind == Kind::Han)
        && !is_counted(&tokens[end..]);
    let is_date = beside.is_release || beside.side.is_some() && (may_be_bare || !date.is_bare);
    let interval = match beside.side {
        Some(Side::Since) => (Some(date.first), None),
        Some(Side::After) => (Some(date.end), None),
        Some(Side::Before) => (None, Some(date.first)),
        Some(Side::Until) => (None, Some(date.end)),
        None => (Some(date.first), Some(date.end)),
    };
    let (from, until) = interval;
    is_date.then_some((end + after, Interval { from, until }))
}

/// Returns true for a currency or a unit, which makes a number an amount.
fn is_counted(tokens: &[Token]) -> bool {
    let amounts = &lexicon_of(tokens).amounts;
    tokens.first().is_some_and(|token| {
        has(&amounts.currencies, &token.form) || has(&amounts.units, &token.form)
    })
}

/// Meaning of the words beside a date.
#[derive(Default)]
struct Beside {
    is_release: bool,
    side: Option<Side>,
}

impl Beside {
    /// Reads the words at the beginning of `tokens`; returns their length.
    fn read(&mut self, tokens: &[Token]) -> usize {
        let dates = &lexicon_of(tokens).dates;
        let mut at = 0;
        let mut known = 0;
        for _ in 0..MAX_WORDS_BESIDE {
            let ahead = &tokens[at..];
            if let Some(n) = word_at(ahead, &dates.releases) {
                self.is_release = true;
                at += n;
                known = at;
            } else if let Some((n, side)) = side_at(ahead).filter(|_| self.side.is_none()) {
                self.side = Some(side);
                at += n;
                known = at;
            } else if let Some(n) = word_at(ahead, &dates.joints) {
                at += n;
            } else {
                break;
            }
        }
        // A joint before a date belongs to it; one after it does not.
        if date_at(&tokens[at..]).is_some() {
            at
        } else {
            known
        }
    }
}

fn side_at(tokens: &[Token]) -> Option<(usize, Side)> {
    let dates = &lexicon_of(tokens).dates;
    [
        (&dates.since, Side::Since),
        (&dates.after, Side::After),
        (&dates.before, Side::Before),
        (&dates.until, Side::Until),
    ]
    .into_iter()
    .find_map(|(words, side)| Some((word_at(tokens, words)?, side)))
}

/// Returns the number of tokens of the longest of the words at the beginning.
fn word_at(tokens: &[Token], words: &[String]) -> Option<usize> {
    let is_han = tokens.first()?.kind == Kind::Han;
    (1..=MAX_WORD_TOKENS.min(tokens.len())).rev().find(|n| {
        let forms: Vec<_> = tokens[..*n].iter().map(|t| t.form.as_str()).collect();
        has(words, &forms.join(if is_han { "" } else { " " }))
    })
}

/// Returns the date at the beginning of `tokens`: "june 2025", "5 june 2025", "2025-06-05", "2025",
/// 2025年6月.
fn date_at(tokens: &[Token]) -> Option<(usize, Date)> {
    let (n, year, month, day, is_bare) = with_year_first(tokens).or_else(|| with_month(tokens))?;
    let first = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let end = match (month, day) {
        (_, Some(_)) => first.checked_add_days(Days::new(1)),
        (Some(_), None) => first.checked_add_months(Months::new(1)),
        (None, None) => first.with_year(year + 1),
    }?;
    let date = Date {
        first,
        end,
        is_bare,
    };
    Some((n, date))
}

/// Number of tokens, year, month, day, and true for a bare year.
type Parts = (usize, i32, Option<u32>, Option<u32>, bool);

/// "2025", "2025-06", "2025-06-05", 2025年, 2025年6月5日.
fn with_year_first(tokens: &[Token]) -> Option<Parts> {
    let year = year(tokens.first()?)?;
    let units = &lexicon_of(tokens).dates.units;
    let has_unit = |at: usize, n: usize| {
        let names = units.get(n).map_or(&[][..], Vec::as_slice);
        tokens.get(at).is_some_and(|token| has(names, &token.form))
    };
    let has_sign = |at: usize| {
        let sign = tokens.get(at).filter(|token| token.form == "-");
        sign.is_some_and(|sign| tokens[at - 1].end == sign.start)
    };
    if has_unit(1, 0) {
        let month = number_at(tokens, 2, 12).filter(|_| has_unit(3, 1));
        let day = number_at(tokens, 4, 31).filter(|_| month.is_some() && has_unit(5, 2));
        let n = 2 + 2 * usize::from(month.is_some()) + 2 * usize::from(day.is_some());
        return Some((n, year, month, day, false));
    }
    let month = number_at(tokens, 2, 12).filter(|_| has_sign(1));
    let day = number_at(tokens, 4, 31).filter(|_| month.is_some() && has_sign(3));
    let n = 1 + 2 * usize::from(month.is_some()) + 2 * usize::from(day.is_some());
    Some((n, year, month, day, month.is_none()))
}

/// "june 2025", "june 5, 2025", "5 june 2025", "5. August 2025".
fn with_month(tokens: &[Token]) -> Option<Parts> {
    let months = &lexicon_of(tokens).dates.months;
    let month = |at: usize| {
        let form = &tokens.get(at)?.form;
        Some(months.iter().position(|names| has(names, form))? as u32 + 1)
    };
    let skip_break = |at: usize| at + usize::from(tokens.get(at).is_some_and(is_break));
    let (month, day, at) = match month(0) {
        Some(month) => match number_at(tokens, 1, 31) {
            Some(day) => (month, Some(day), skip_break(2)),
            None => (month, None, 1),
        },
        None => {
            let at = skip_break(1);
            (month(at)?, Some(number_at(tokens, 0, 31)?), at + 1)
        }
    };
    Some((at + 1, year(tokens.get(at)?)?, Some(month), day, false))
}

fn is_break(token: &Token) -> bool {
    token.kind == Kind::Break
}

fn year(token: &Token) -> Option<i32> {
    match token.kind {
        Kind::Number(number) if number.fract() == 0.0 && YEARS.contains(&number) => {
            Some(number as i32)
        }
        _ => None,
    }
}

fn number_at(tokens: &[Token], at: usize, most: u32) -> Option<u32> {
    match tokens.get(at)?.kind {
        Kind::Number(number) if number.fract() == 0.0 && number >= 1.0 => {
            Some(number as u32).filter(|number| *number <= most)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::language::{german, tokens, tokens_of};

    fn interval(tokens: &[Token]) -> Option<(String, String)> {
        let (n, found) = interval_at(tokens)?;
        assert_eq!(n, tokens.len(), "all words belong to the date");
        let text = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        Some((text(found.from), text(found.until)))
    }

    #[test]
    fn dates_of_release_are_intervals() {
        for (text, from, until) in [
            ("released after june 2025", "2025-07-01", ""),
            ("released since june 2025", "2025-06-01", ""),
            ("published before 2020", "", "2020-01-01"),
            ("came out in 2024", "2024-01-01", "2025-01-01"),
            ("released on june 5, 2025", "2025-06-05", "2025-06-06"),
            ("since 2025-06-05", "2025-06-05", ""),
            ("after december 2025", "2026-01-01", ""),
            ("released until 2025", "", "2026-01-01"),
            ("2026年上市", "2026-01-01", "2027-01-01"),
            ("2025年6月之后发布", "2025-07-01", ""),
            ("2020年以前出版", "", "2020-01-01"),
            ("2025年6月5日上市", "2025-06-05", "2025-06-06"),
        ] {
            let expected = Some((from.to_owned(), until.to_owned()));
            assert_eq!(interval(&tokens(text)), expected, "{text}");
        }
        let german = tokens_of("erschienen nach August 2025", german());
        assert_eq!(
            interval(&german),
            Some(("2025-09-01".into(), String::new()))
        );
        for text in [
            "2025",
            "2000起",
            "up to 2000",
            "after 2000 dollars",
            "in 2025",
            "after 50",
            "june",
            "2025年",
            "released",
        ] {
            assert_eq!(interval_at(&tokens(text)), None, "{text}");
        }
    }
}
