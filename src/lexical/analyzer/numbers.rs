//! Numbers in one spelling: thousands without separators, decimals with a point, and fractions also
//! as decimals.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use super::characters::narrow;

/// Zeros of the decimal digits of other scripts, whose nine other digits follow them: Arabic,
/// Persian, those of India and Tibet, Thai, Lao, Burmese, Khmer and Mongolian.
const ZEROS: &[char] = &[
    '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}',
    '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}',
    '\u{1810}',
];

/// Denominators of measures; 12/24 is more likely a date.
const DENOMINATORS: [u32; 6] = [2, 4, 8, 16, 32, 64];

/// A number of a text.
pub(super) struct Number {
    pub term: String,
    /// Other spelling of the same value.
    pub variant: Option<String>,
    /// Bytes of the run.
    pub span: Range<usize>,
}

/// Returns the numbers of a run of digits, fractions and separators. "1½" are two, as "1 1/2" are;
/// "1,2,3" are three.
pub(super) fn numbers(run: &str) -> Vec<Number> {
    let is_vulgar = |c: char| c.nfkc().count() > 1 && c.nfkc().any(|d| d == '\u{2044}');
    let mut numbers = Vec::new();
    let mut start = 0;
    for (at, c) in run.char_indices().filter(|(_, c)| is_vulgar(*c)) {
        push(run, start..at, &mut numbers);
        push(run, at..at + c.len_utf8(), &mut numbers);
        start = at + c.len_utf8();
    }
    push(run, start..run.len(), &mut numbers);
    numbers
}

/// Returns the digit 0 to 9 of a digit of any script; any other character as it is.
fn western(c: char) -> char {
    let value = |zero: &char| u32::from(c).checked_sub(u32::from(*zero));
    let value = ZEROS.iter().filter_map(value).find(|value| *value < 10);
    value
        .and_then(|value| char::from_digit(value, 10))
        .unwrap_or(c)
}

/// Returns the decimal of a fraction below 1, such as 3/4.
pub(super) fn decimal(fraction: &str) -> Option<f64> {
    let (above, below) = fraction.split_once('/')?;
    let (above, below): (u32, u32) = (above.parse().ok()?, below.parse().ok()?);
    let is_measure = above > 0 && above < below && DENOMINATORS.contains(&below);
    is_measure.then(|| f64::from(above) / f64::from(below))
}

fn push(run: &str, span: Range<usize>, numbers: &mut Vec<Number>) {
    let digits = run[span.clone()].nfkc().map(|c| western(narrow(c)));
    let mut digits = digits.collect::<String>().replace('\u{2044}', "/");
    if digits.starts_with('.') {
        digits.insert(0, '0');
    }
    if digits.is_empty() {
        return;
    }
    let Some(term) = without_commas(&digits) else {
        let mut at = span.start;
        for piece in run[span].split([',', '\u{ff0c}', '\u{66c}']) {
            push(run, at..at + piece.len(), numbers);
            at += piece.len();
            at += run[at..].chars().next().map_or(0, char::len_utf8);
        }
        return;
    };
    let variant = decimal(&term).map(|value| value.to_string());
    let variant = variant.or_else(|| without_zeros(&term));
    numbers.push(Number {
        term,
        variant,
        span,
    });
}

/// Returns a number without commas for thousands and with a point for decimals; `None` for a list.
fn without_commas(digits: &str) -> Option<String> {
    let Some((whole, last)) = digits.rsplit_once(',') else {
        return Some(digits.to_owned());
    };
    let groups: Vec<&str> = whole.split(',').collect();
    let (first, middle) = groups.split_first()?;
    let thousands = last.split('.').next().unwrap_or(last);
    let is_grouped = middle.iter().all(|g| g.len() == 3)
        && thousands.len() == 3
        && (1..=3).contains(&first.len())
        && *first != "0"
        && !first.contains(['.', '/']);
    if is_grouped {
        return Some(digits.replace(',', ""));
    }
    let is_decimal = middle.is_empty() && !last.contains(['.', '/']) && !whole.contains('/');
    is_decimal.then(|| format!("{}.{last}", whole.replace('.', "")))
}

/// Returns a decimal such as 2.50 without its last zeros; `None` if it has none.
fn without_zeros(term: &str) -> Option<String> {
    let (whole, decimals) = term.split_once('.')?;
    let short = decimals.trim_end_matches('0');
    let is_shorter = !short.is_empty() && short.len() < decimals.len() && !short.contains('.');
    is_shorter.then(|| format!("{whole}.{short}"))
}
