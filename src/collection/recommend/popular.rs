//! What is popular in a category and a window of time.

use std::time::Instant;

use vitrine_schemas::{
    FilterSpec, Item, PopularHit, PopularParams, PopularResponse, Reason, RulePath,
};

use super::{
    super::{Collection, State, acting::About, reader::check_limit},
    best::{best, best_allowed, known},
};
use crate::{
    Error, Result,
    behaviour::{Log, day_of},
    cf::Scored,
};

/// Longest window, in days.
const LONGEST: u32 = 3_660;

/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

impl Collection {
    /// The most popular items of a window that ends with the last event, events fading by half in half the window.
    pub fn popular(&self, params: &PopularParams) -> Result<PopularResponse> {
        let started = Instant::now();
        check_limit(params.limit)?;
        if !(1..=LONGEST).contains(&params.window_days) {
            return Err(Error::invalid(
                "/window_days",
                format!("must be 1 to {LONGEST}"),
            ));
        }
        let state = self.state.read();
        let filter = params.filter.clone().map(FilterSpec::Text);
        let about = About {
            is_on: true,
            path: RulePath::Recommend,
            text: None,
            filters: [filter.as_ref(), None],
            categories: params.category.as_slice(),
            item: None,
        };
        let matching = state.allowed(filter.as_ref())?;
        let rules = self.acting(&state, &about, matching.numbers())?;
        let mut allowed = rules.restricted(matching).numbers() - state.expired()?;
        if params.exclude_out_of_stock {
            allowed -= state.out_of_stock()?;
        }
        if let Some(category) = &params.category {
            allowed &= state.in_categories(std::slice::from_ref(category))?;
        }
        let log = self.behaviour.log.read();
        // Not the clock: where events come late or are old, the last ones are still what is popular.
        let now = chrono::Utc::now().timestamp_micros();
        let last = day_of(log.last().unwrap_or(now).min(now));
        let window = Window {
            first: last - params.window_days as i32 + 1,
            last,
        };
        let found = if allowed.len() < log.names().len() as u64 / 4 {
            let asked = known(&state, &log, &allowed);
            let scored = asked.filter_map(|(item, number)| {
                let score = window.score(&log, number)?;
                Some(Scored { item, score })
            });
            best(scored.collect(), params.limit)
        } else {
            let all = 0..log.names().len() as u32;
            let scored = all.filter_map(|item| {
                let score = window.score(&log, item)?;
                Some(Scored { item, score })
            });
            best_allowed(scored.collect(), params.limit, &state, &log, &allowed)
        };
        let hits = self.popular_hits(&state, &log, &window, &found)?;
        let end = (i64::from(last) + 1) * DAY;
        let until = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(end);
        Ok(PopularResponse {
            hits,
            until: until.map_or_else(String::new, |t| t.to_rfc3339()),
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    fn popular_hits(
        &self,
        state: &State,
        log: &Log,
        window: &Window,
        found: &[Scored],
    ) -> Result<Vec<PopularHit>> {
        let live = found
            .iter()
            .filter_map(|s| Some((s, state.ids.get(&s.item)?)));
        let (scored, ids): (Vec<_>, Vec<&str>) = live.map(|(s, id)| (s, id.as_str())).unzip();
        let hit = |(scored, item): (&Scored, Option<Item>)| {
            let item = item?;
            let events = log.number(&item.id).map_or(0, |n| window.events(log, n));
            Some(PopularHit {
                id: item.id.clone(),
                score: scored.score,
                events,
                reason: Reason {
                    code: "popular".into(),
                    items: Vec::new(),
                    text: format!("Popular: {events} events in {} days", window.days()),
                },
                item,
            })
        };
        let records = self.load_many(state, &ids)?;
        Ok(scored.into_iter().zip(records).filter_map(hit).collect())
    }
}

/// Days that count, both ends included.
struct Window {
    first: i32,
    last: i32,
}

impl Window {
    fn days(&self) -> i32 {
        self.last - self.first + 1
    }

    /// What was done with an item of the log; None where nothing was.
    fn score(&self, log: &Log, item: u32) -> Option<f32> {
        let half = self.days() as f32 / 2.0;
        let days = log.daily.between(item, self.first, self.last).iter();
        let fade = |day: i32| (-(self.last - day) as f32 / half).exp2();
        let score: f32 = days.map(|d| d.weight * fade(d.day)).sum();
        (score > 0.0).then_some(score)
    }

    fn events(&self, log: &Log, item: u32) -> u64 {
        let days = log.daily.between(item, self.first, self.last).iter();
        days.map(|d| u64::from(d.events)).sum()
    }
}
