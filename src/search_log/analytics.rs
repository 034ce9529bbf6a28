//! Figures of searches: totals by query, day and position.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use vitrine_schemas::{
    AnalyticsSummary, AnonymityConfig, DayFigures, EventKind, PositionFigures,
    PositionFiguresResponse, QueryFigures, QueryFiguresParams, QueryFiguresResponse, QueryOrder,
    QuerySelection, SearchFigures, SearchOutcome,
};

use super::{IsPermitted, SearchLog, typing::person};
use crate::{
    Error, Result,
    clock::rfc3339_micros,
    events::{day, rfc3339},
};

/// Maximum number of queries of a page.
const MAX_LIMIT: usize = 1_000;

/// Range of time if the request has none, in microseconds.
const DEFAULT_RANGE: i64 = 30 * 86_400 * 1_000_000;

/// Returns a range of time, in microseconds since 1970; by default the last 30 days.
///
/// # Errors
/// A time that is neither RFC 3339 nor a day, or an end before the start.
pub(crate) fn range(from: Option<&str>, to: Option<&str>, now: i64) -> Result<Range<i64>> {
    // Searches of this microsecond are included.
    let end = to.map_or(Ok(now.saturating_add(1)), |to| rfc3339_micros("/to", to))?;
    let start = match from {
        Some(from) => rfc3339_micros("/from", from)?,
        None => end.saturating_sub(DEFAULT_RANGE),
    };
    if start > end {
        let detail = format!("expected a time from {} on", rfc3339(start));
        return Err(Error::invalid("/to", detail));
    }
    Ok(start..end)
}

/// Sums of the figures of some searches.
#[derive(Default)]
pub(crate) struct FigureSums {
    figures: SearchFigures,
    people: HashSet<u64>,
    positions: u64,
    clicks: u64,
}

impl FigureSums {
    /// Adds a search.
    pub fn add(&mut self, outcome: &SearchOutcome) {
        let has = |kind| outcome.events.iter().any(|event| event.kind == kind);
        let figures = &mut self.figures;
        figures.searches += 1;
        figures.without_results += u64::from(outcome.search.hits == 0);
        figures.clicked += u64::from(has(EventKind::Click));
        figures.added_to_cart += u64::from(has(EventKind::AddToCart));
        figures.purchased += u64::from(has(EventKind::Purchase));
        figures.revenue += revenue(outcome);
        self.people.extend(person(&outcome.search));
        if let Some(position) = clicks(outcome).find_map(|position| position) {
            self.positions += u64::from(position);
            self.clicks += 1;
        }
    }

    /// Returns the figures.
    pub fn figures(mut self) -> SearchFigures {
        let share = |part: u64, all: u64| {
            if all == 0 {
                0.0
            } else {
                part as f64 / all as f64
            }
        };
        let figures = &mut self.figures;
        figures.users = self.people.len() as u64;
        figures.click_through = share(figures.clicked, figures.searches);
        figures.conversion = share(figures.purchased, figures.searches);
        let mean = share(self.positions, self.clicks);
        figures.click_position = (self.clicks > 0).then_some(mean);
        self.figures
    }
}

/// Returns the positions of the clicks on the hits of a search, in the order of time.
fn clicks(outcome: &SearchOutcome) -> impl Iterator<Item = Option<u32>> + '_ {
    let events = outcome.events.iter();
    events
        .filter(|event| event.kind == EventKind::Click)
        .map(|event| event.position)
}

/// Returns the sum of the values of the purchases that followed from a search.
pub(crate) fn revenue(outcome: &SearchOutcome) -> f64 {
    let events = outcome.events.iter();
    let purchases = events.filter(|event| event.kind == EventKind::Purchase);
    purchases.filter_map(|event| event.value).sum()
}

impl SearchLog {
    /// Returns the figures of all searches in a range of time, and by day, without days of too few
    /// people.
    pub fn summary(
        &self,
        range: Range<i64>,
        is_permitted: &IsPermitted<'_>,
        anonymity: &AnonymityConfig,
    ) -> Result<AnalyticsSummary> {
        let mut total = FigureSums::default();
        let mut days: BTreeMap<String, FigureSums> = BTreeMap::new();
        self.for_each(range.clone(), is_permitted, |micros, outcome| {
            total.add(&outcome);
            days.entry(day(micros)).or_default().add(&outcome);
            Ok(())
        })?;
        Ok(AnalyticsSummary {
            from: rfc3339(range.start),
            to: rfc3339(range.end),
            total: total.figures(),
            days: days
                .into_iter()
                .map(|(day, sums)| DayFigures {
                    day,
                    figures: sums.figures(),
                })
                .filter(|day| has_enough_people(&day.figures, anonymity))
                .collect(),
            log: self.info(),
        })
    }

    /// Returns the figures of the queries that a request selects, sorted and paged, without those
    /// of too few people.
    ///
    /// # Errors
    /// `limit` is out of range.
    pub fn queries(
        &self,
        range: Range<i64>,
        is_permitted: &IsPermitted<'_>,
        params: &QueryFiguresParams,
        anonymity: &AnonymityConfig,
    ) -> Result<QueryFiguresResponse> {
        if !(1..=MAX_LIMIT).contains(&params.limit) {
            let detail = format!("expected 1 to {MAX_LIMIT}, got {}", params.limit);
            return Err(Error::invalid("/limit", detail));
        }
        let mut by_query: HashMap<String, FigureSums> = HashMap::new();
        self.for_each(range, is_permitted, |_, outcome| {
            if !outcome.search.query.is_empty() {
                let query = outcome.search.query.clone();
                by_query.entry(query).or_default().add(&outcome);
            }
            Ok(())
        })?;
        let all = by_query.into_iter().map(|(query, sums)| QueryFigures {
            query,
            figures: sums.figures(),
        });
        let mut queries: Vec<_> = all
            .filter(|query| is_selected(&query.figures, params))
            .collect();
        let selected = queries.len();
        queries.retain(|query| has_enough_people(&query.figures, anonymity));
        let withheld = (selected - queries.len()) as u64;
        queries.sort_by(|a, b| compare(a, b, params.order));
        let total = queries.len() as u64;
        let queries = queries.into_iter().skip(params.offset).take(params.limit);
        Ok(QueryFiguresResponse {
            total,
            queries: queries.collect(),
            withheld,
        })
    }

    /// Returns the figures of the positions of the first page.
    pub fn positions(
        &self,
        range: Range<i64>,
        is_permitted: &IsPermitted<'_>,
    ) -> Result<PositionFiguresResponse> {
        let mut positions: Vec<PositionFigures> = Vec::new();
        self.for_each(range, is_permitted, |_, outcome| {
            let shown = outcome.search.shown.len();
            for position in positions.len()..shown {
                positions.push(PositionFigures {
                    position: position as u32 + 1,
                    ..PositionFigures::default()
                });
            }
            positions[..shown].iter_mut().for_each(|p| p.shown += 1);
            let clicked: HashSet<u32> = clicks(&outcome).flatten().collect();
            for position in clicked {
                let index = (position as usize).wrapping_sub(1);
                if let Some(figures) = positions[..shown].get_mut(index) {
                    figures.clicked += 1;
                }
            }
            Ok(())
        })?;
        for figures in &mut positions {
            figures.click_through = figures.clicked as f64 / figures.shown as f64;
        }
        Ok(PositionFiguresResponse { positions })
    }
}

/// Returns true if figures may be told: a search of someone unknown counts as that of nobody.
fn has_enough_people(figures: &SearchFigures, anonymity: &AnonymityConfig) -> bool {
    !anonymity.is_on() || figures.users >= u64::from(anonymity.min_users)
}

fn is_selected(figures: &SearchFigures, params: &QueryFiguresParams) -> bool {
    let is_wanted = match params.only {
        QuerySelection::All => true,
        QuerySelection::WithoutResults => figures.without_results > 0,
        QuerySelection::WithoutClicks => {
            figures.clicked == 0 && figures.without_results < figures.searches
        }
    };
    is_wanted && figures.searches >= params.min_searches
}

/// Compares queries by a figure, the largest first.
fn compare(a: &QueryFigures, b: &QueryFigures, order: QueryOrder) -> Ordering {
    let key = |query: &QueryFigures| match order {
        QueryOrder::Searches => query.figures.searches as f64,
        QueryOrder::WithoutResults => query.figures.without_results as f64,
        QueryOrder::ClickThrough => query.figures.click_through,
        QueryOrder::Conversion => query.figures.conversion,
        QueryOrder::Revenue => query.figures.revenue,
    };
    let by_searches = b.figures.searches.cmp(&a.figures.searches);
    key(b)
        .total_cmp(&key(a))
        .then(by_searches)
        .then_with(|| a.query.cmp(&b.query))
}
