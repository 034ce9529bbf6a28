//! Bounds of the price, and the median of the prices shown.

use vitrine_schemas::{Range, Scalar, ShownItem};

/// Returns the median of the prices shown, to the cent; `None` if no item has a price.
pub fn median(shown: &[ShownItem]) -> Option<f64> {
    let mut prices: Vec<f64> = shown.iter().filter_map(|s| s.price).collect();
    prices.sort_by(f64::total_cmp);
    let half = prices.len() / 2;
    match prices.len() {
        0 => None,
        n if n % 2 == 1 => Some(prices[half]),
        _ => Some(((prices[half - 1] + prices[half]) * 50.0).round() / 100.0),
    }
}

/// Returns the range below an amount.
pub(super) fn below(amount: f64) -> Range {
    Range {
        lt: Some(Scalar::Float(amount)),
        ..Range::default()
    }
}

/// Returns the range above an amount.
pub(super) fn above(amount: f64) -> Range {
    Range {
        gt: Some(Scalar::Float(amount)),
        ..Range::default()
    }
}

/// Returns the bounds of `new`, completed by those of `old` unless they contradict each other.
pub(super) fn narrowed(old: &Range, new: &Range) -> Range {
    let (from, to) = (has_min(new), has_max(new));
    let mut range = new.clone();
    if !from {
        (range.gt, range.gte) = (old.gt.clone(), old.gte.clone());
    }
    if !to {
        (range.lt, range.lte) = (old.lt.clone(), old.lte.clone());
    }
    if from != to && !can_hold(&range) {
        return new.clone();
    }
    range
}

fn has_min(range: &Range) -> bool {
    range.gt.is_some() || range.gte.is_some()
}

fn has_max(range: &Range) -> bool {
    range.lt.is_some() || range.lte.is_some()
}

fn can_hold(range: &Range) -> bool {
    let strict = range.gt.is_some() || range.lt.is_some();
    let (from, to) = (
        range.gt.as_ref().or(range.gte.as_ref()),
        range.lt.as_ref().or(range.lte.as_ref()),
    );
    if let (Some(Scalar::Str(from)), Some(Scalar::Str(to))) = (from, to) {
        // Times of one form sort as text.
        return from < to || from == to && !strict;
    }
    match (number(from), number(to)) {
        (Some(least), Some(most)) => least < most || least == most && !strict,
        _ => true,
    }
}

fn number(scalar: Option<&Scalar>) -> Option<f64> {
    match scalar? {
        Scalar::Float(x) => Some(*x),
        Scalar::Int(x) => Some(*x as f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_what_has_a_price() {
        let shown = |prices: &[Option<f64>]| -> Vec<ShownItem> {
            let item = |price: &Option<f64>| ShownItem {
                id: String::new(),
                price: *price,
            };
            prices.iter().map(item).collect()
        };
        assert_eq!(
            median(&shown(&[Some(3.0), None, Some(1.0), Some(9.0)])),
            Some(3.0)
        );
        assert_eq!(median(&shown(&[Some(1.25), Some(2.0)])), Some(1.63));
        assert_eq!(median(&shown(&[None])), None);
    }

    #[test]
    fn a_bound_that_cannot_hold_goes() {
        let from = |x| Range {
            gte: Some(Scalar::Int(x)),
            ..Range::default()
        };
        let both = narrowed(&from(20), &below(30.0));
        assert_eq!(
            (both.gte, both.lt),
            (Some(Scalar::Int(20)), Some(Scalar::Float(30.0)))
        );
        assert_eq!(narrowed(&from(30), &below(30.0)), below(30.0));
        assert_eq!(narrowed(&below(30.0), &above(30.0)), above(30.0));
        assert_eq!(narrowed(&below(30.0), &below(20.0)), below(20.0));
    }
}
