//! Facts about the candidates: price, availability, age, rating and events.

use super::{Candidate, Feature, Row, max};
use crate::rerank::query_text::share;

/// Value of a feature that an item lacks.
const ABSENT: f32 = -1.0;

/// Availability of an item that has none.
const UNKNOWN_AVAILABILITY: f32 = 0.75;

pub(super) fn set(candidates: &[Candidate], rows: &mut [Row]) {
    let mut prices: Vec<f64> = candidates.iter().filter_map(|c| c.facts.price).collect();
    prices.sort_by(f64::total_cmp);
    let median = prices.get(prices.len() / 2).copied().filter(|p| *p > 0.0);
    let popularity = |c: &Candidate| c.facts.popularity.unwrap_or(0.0);
    let most_popular = max(candidates.iter().map(popularity));
    for (row, candidate) in rows.iter_mut().zip(candidates) {
        let (text, facts) = (&candidate.text, &candidate.facts);
        row.set(Feature::TitleWords, text.title_len as f32);
        row.set(Feature::DescriptionWords, text.description.len() as f32);
        let price = facts.price.map(|price| price.max(0.0).ln_1p() as f32);
        row.set(Feature::PriceLog, price.unwrap_or(ABSENT));
        let ratio = facts
            .price
            .zip(median)
            .map(|(price, median)| price / median);
        let ratio = ratio.map_or(0.0, |ratio| ratio.max(1e-3).ln() as f32);
        row.set(Feature::PriceRatio, ratio);
        let availability = facts.availability.unwrap_or(UNKNOWN_AVAILABILITY);
        row.set(Feature::Availability, availability);
        row.set(Feature::AgeDays, facts.age_days.unwrap_or(ABSENT));
        row.set(Feature::Rating, facts.rating.map_or(ABSENT, |r| r as f32));
        let count = facts
            .rating_count
            .map_or(ABSENT, |n| n.max(0.0).ln_1p() as f32);
        row.set(Feature::RatingCount, count);
        row.set(Feature::Events, facts.events.max(0.0).ln_1p());
        row.set(
            Feature::Popularity,
            share(popularity(candidate), most_popular),
        );
    }
}
