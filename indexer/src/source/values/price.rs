//! Prices: `15`, `15.00 USD`, `€ 1.299,00`, `CHF 1'299.–`, `Rs. 499/-`.

use serde_json::Value;
use vitrine_schemas::Price;

use super::currency::{currency, has_no_decimals, has_three_decimals};

/// Maximum amount; beyond it a cell holds something else.
const MAX_AMOUNT: f64 = 1e12;

/// Decimal mark of a column, from the amounts in it that have one reading only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecimalMark {
    commas: u64,
    points: u64,
}

impl DecimalMark {
    /// Counts the decimal mark of a price, if the price has one reading only.
    pub fn count(&mut self, text: &str) {
        let Some(parts) = split(&normalized(text)) else {
            return;
        };
        match decide(&parts.number) {
            Some((_, Some(','))) => self.commas += 1,
            Some((_, Some('.'))) => self.points += 1,
            _ => {}
        }
    }

    /// Returns the mark that most amounts use; `None` if none does.
    pub fn mark(self) -> Option<char> {
        match self.commas.cmp(&self.points) {
            std::cmp::Ordering::Greater => Some(','),
            std::cmp::Ordering::Less => Some('.'),
            std::cmp::Ordering::Equal => None,
        }
    }
}

/// Parses a price; a blank cell has none.
///
/// An amount such as `1.299` or `1,299` has two readings. It is read by the decimal mark of its
/// column; in a column without one, a point is a decimal mark and a comma groups thousands.
///
/// # Errors
/// The value is not a price, or negative.
pub fn price(value: &Value, mark: Option<char>) -> Result<Option<Price>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => parse(text, mark).map(Some),
        Value::Number(number) => {
            let amount = number.as_f64().filter(|n| n.is_finite());
            checked(amount.ok_or_else(|| wrong(&number.to_string()))?, None).map(Some)
        }
        Value::Array(values) => match values.as_slice() {
            [] => Ok(None),
            [one] => price(one, mark),
            _ => Err(format!("expected one price, got {} values", values.len())),
        },
        Value::Object(fields) => {
            let find = |names: &[&str]| names.iter().find_map(|name| fields.get(*name));
            let amount = find(&["amount", "value", "price"]).unwrap_or(&Value::Null);
            let Some(mut found) = price(amount, mark)? else {
                return Err("expected a price with an `amount`, got an object without".to_owned());
            };
            if let Some(Value::String(code)) =
                find(&["currency", "currency_code", "currencyCode", "priceCurrency"])
            {
                found.currency = currency(code)?;
            }
            Ok(Some(found))
        }
        Value::Bool(_) => Err(wrong(&value.to_string())),
    }
}

fn wrong(text: &str) -> String {
    format!("expected a price like `15.00`, `15.00 USD` or `€ 1.299,00`, got `{text}`")
}

fn checked(amount: f64, currency: Option<String>) -> Result<Price, String> {
    match amount {
        a if a < 0.0 => Err(format!("expected a price of 0 or more, got `{amount}`")),
        a if a > MAX_AMOUNT => Err(format!(
            "expected a price up to {MAX_AMOUNT}, got `{amount}`"
        )),
        _ => Ok(Price { amount, currency }),
    }
}

fn parse(text: &str, mark: Option<char>) -> Result<Price, String> {
    let plain = normalized(text);
    let parts = split(&plain).ok_or_else(|| wrong(text))?;
    if parts.is_negative {
        return Err(format!("expected a price of 0 or more, got `{text}`"));
    }
    let code = code(&parts).ok_or_else(|| wrong(text))?;
    let mark = parts.mark.or(mark);
    let three = code.as_deref().is_some_and(has_three_decimals);
    let amount = match decide(&parts.number) {
        Some((amount, _)) => Some(amount),
        // `150.000 ₫` has no cents.
        None if code.as_deref().is_some_and(has_no_decimals) => grouped(&parts.number),
        None => ambiguous(&parts.number, if three { None } else { mark }, three),
    };
    checked(amount.ok_or_else(|| wrong(text))?, code)
}

/// Returns the currency around a number: `€`, `US $`, `CAD $`; `None` if there is other text.
fn code(parts: &Parts) -> Option<Option<String>> {
    let written = [&parts.before, &parts.after];
    let words: Vec<&str> = written
        .into_iter()
        .flat_map(|t| t.split_whitespace())
        .collect();
    if words.is_empty() {
        return Some(None);
    }
    let is_code = |word: &&&str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_alphabetic());
    if let Some(code) = words.iter().find(is_code) {
        let code = currency(code).ok()?;
        // A sign of several currencies says less than a code.
        let is_open = |word: &str| matches!(word, "$" | "\u{a5}" | "kr" | "kr.");
        let agrees = |word: &&str| is_open(word) || currency(word).is_ok_and(|own| own == code);
        return words.iter().all(agrees).then_some(code);
    }
    if let Ok(code) = currency(&words.concat()) {
        return Some(code);
    }
    let first = currency(words.first()?).ok()?;
    let agrees = |word: &&str| currency(word).is_ok_and(|own| own == first);
    words.iter().all(agrees).then_some(first)
}

/// Returns the text with one kind of space, apostrophe, minus and digit.
fn normalized(text: &str) -> String {
    text.trim()
        .chars()
        .filter_map(|c| {
            Some(match c {
                '\u{200e}' | '\u{200f}' | '\u{feff}' => return None,
                c if c.is_whitespace() => ' ',
                '\u{2019}' | '\u{2018}' | '\u{b4}' | '`' | '\u{2bc}' => '\'',
                '\u{2212}' | '\u{2013}' | '\u{2014}' => '-',
                '\u{ff10}'..='\u{ff19}' => char::from(b'0' + (c as u32 - 0xff10) as u8),
                '\u{ff0c}' => ',',
                '\u{ff0e}' => '.',
                '\u{ffe5}' => '\u{a5}',
                '\u{ff04}' => '$',
                c => c,
            })
        })
        .collect()
}

/// Price taken apart.
struct Parts {
    /// Digits with their separators.
    number: String,
    before: String,
    after: String,
    is_negative: bool,
    /// Decimal mark shown by an ending such as `,-`.
    mark: Option<char>,
}

fn split(text: &str) -> Option<Parts> {
    let digit = |c: char| c.is_ascii_digit();
    let first = text.find(digit)?;
    let last = text.rfind(digit)? + 1;
    let mut start = first;
    // `.5` and `,50`; the point of `Rs.500` belongs to the abbreviation.
    if let Some(c @ ('.' | ',')) = text[..first].chars().next_back() {
        let head = &text[..first - c.len_utf8()];
        if !head.ends_with(char::is_alphabetic) {
            start = first - c.len_utf8();
        }
    }
    let mut before = text[..start].trim();
    let mut after = text[last..].trim();
    let parenthesized = before.ends_with('(') && after.starts_with(')');
    let is_negative = before.starts_with('-') || before.ends_with('-') || parenthesized;
    before = before.trim_matches(|c| c == '-' || c == '+' || c == ' ');
    // `12,-`, `12.-`, `499/-`: no cents.
    let mark = after
        .chars()
        .next()
        .filter(|c| after.len() > 1 && matches!(c, '.' | ','));
    for end in ["/-", ",--", ".--", ",-", ".-", ",", "."] {
        if let Some(rest) = after.strip_prefix(end) {
            after = rest.trim();
            break;
        }
    }
    Some(Parts {
        number: text[start..last].to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        is_negative,
        mark,
    })
}

/// Returns the amount and its decimal mark, if the number has one reading only.
fn decide(number: &str) -> Option<(f64, Option<char>)> {
    let marks: Vec<char> = number.chars().filter(|c| !c.is_ascii_digit()).collect();
    if marks
        .iter()
        .any(|c| !matches!(c, '.' | ',' | '\'' | ' ' | '_'))
    {
        return None;
    }
    let last = marks.iter().rev().copied().find(|c| matches!(c, '.' | ','));
    let Some(last) = last else {
        return grouped(number).map(|amount| (amount, None));
    };
    let at = number.rfind(last)?;
    let (whole, fraction) = (&number[..at], &number[at + 1..]);
    let is_single = marks.iter().filter(|c| **c == last).count() == 1;
    if !is_single {
        return grouped(number).map(|amount| (amount, None));
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let has_other_marks = marks.len() > 1;
    let is_group = fraction.len() == 3 && !whole.is_empty() && whole.len() <= 3;
    let zero = whole.bytes().all(|b| b == b'0');
    if is_group && !has_other_marks && !zero {
        return None;
    }
    // `1 299.000` and `1,299.000`: a mark after other ones is the decimal mark.
    with_decimals(whole, fraction).map(|amount| (amount, Some(last)))
}

/// Reads a number with one mark and three digits after it.
fn ambiguous(number: &str, mark: Option<char>, three_decimals: bool) -> Option<f64> {
    let at = number.find(['.', ','])?;
    let own = if number[at..].starts_with(',') {
        ','
    } else {
        '.'
    };
    let is_decimal = three_decimals || mark.map_or(own == '.', |mark| mark == own);
    if is_decimal {
        with_decimals(&number[..at], &number[at + 1..])
    } else {
        grouped(number)
    }
}

fn with_decimals(whole: &str, fraction: &str) -> Option<f64> {
    let plain: String = digits_of_groups(whole)?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{plain}.{fraction}0").parse().ok()
}

fn grouped(number: &str) -> Option<f64> {
    digits_of_groups(number)?.parse().ok()
}

/// Returns the digits of a whole number, whose groups must have the sizes of thousands: three
/// digits, or two as in India (`1,00,000`) before the last three.
fn digits_of_groups(number: &str) -> Option<String> {
    if number.is_empty() {
        return Some("0".to_owned());
    }
    let groups: Vec<&str> = number.split(|c: char| !c.is_ascii_digit()).collect();
    let separators: Vec<char> = number.chars().filter(|c| !c.is_ascii_digit()).collect();
    let (first, rest) = groups.split_first()?;
    let sizes = |size: usize| rest.iter().rev().skip(1).all(|g| g.len() == size);
    let sound = rest.is_empty()
        || (!first.is_empty()
            && first.len() <= 3
            && rest.last()?.len() == 3
            && (sizes(3) || (sizes(2) && first.len() <= 2)));
    let one_kind = separators.windows(2).all(|pair| pair[0] == pair[1]);
    (sound && one_kind).then(|| groups.concat())
}
