//! Popular items of a category in a time window.

use std::time::Instant;

use vitrine_schemas::{
    FilterSpec, Item, PopularHit, PopularParams, PopularResponse, Reason, RulePath,
};

use crate::{
    Error, Result,
    behavior::{Log, day_of},
    cf::Scored,
    collection::{
        Collection, State,
        ranking::merchandising::RuleContext,
        shopper::top_k::{top_k, top_k_eligible},
        state::read::check_limit,
    },
};

/// Maximum window, in days.
const MAX_WINDOW_DAYS: u32 = 3_660;

/// Microseconds of a day.
const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;

impl Collection {
    /// Returns the most popular items of a window that ends with the last event. Events decay with
    /// a half-life of half the window.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers to the parameters.
    pub fn popular(&self, params: &PopularParams) -> Result<PopularResponse> {
        let started = Instant::now();
        check_limit(params.limit)?;
        if !(1..=MAX_WINDOW_DAYS).contains(&params.window_days) {
            return Err(Error::invalid(
                "/window_days",
                format!("must be 1 to {MAX_WINDOW_DAYS}"),
            ));
        }
        let state = self.state.read();
        let filter = params.filter.clone().map(FilterSpec::Text);
        let context = RuleContext {
            is_on: true,
            path: RulePath::Recommend,
            text: None,
            filters: [filter.as_ref(), None],
            categories: params.category.as_slice(),
            item: None,
        };
        let matching = state.visible_matches(filter.as_ref())?;
        let merchandising = self.merchandising(&state, &context, matching.internal_ids())?;
        let mut eligible = merchandising.apply_scope(matching).internal_ids() - state.expired()?;
        if params.exclude_out_of_stock {
            eligible -= state.out_of_stock()?;
        }
        if let Some(category) = &params.category {
            eligible &= state.in_categories(std::slice::from_ref(category))?;
        }
        let log = self.behavior.log.read();
        let released = self.behavior.model().filter(|_| self.behavior.is_private());
        let released = released.map(|model| model.popular());
        // Ends with the last event instead of now, so that late or old events still count. That of
        // a private collection is not told.
        let now = self.now();
        let last_event = log.last().filter(|_| !self.behavior.is_private());
        let last = day_of(last_event.unwrap_or(now).min(now));
        let window = Window {
            first: last - params.window_days as i32 + 1,
            last,
        };
        let score = |item: u32| match &released {
            Some(popular) => popular.score(item),
            None => window.score(&log, item),
        };
        let ids = state.item_ids(&log);
        let top = if eligible.len() < log.names().len() as u64 / 4 {
            let scored = ids.logged(&eligible).filter_map(|(item, log_id)| {
                let score = score(log_id)?;
                Some(Scored { item, score })
            });
            top_k(scored.collect(), params.limit)
        } else {
            let all = 0..log.names().len() as u32;
            let scored = all.filter_map(|item| {
                let score = score(item)?;
                Some(Scored { item, score })
            });
            top_k_eligible(scored.collect(), params.limit, ids, &eligible)
        };
        let hits = self.popular_hits(&state, &log, filter.as_ref(), &window, &top)?;
        let end = (i64::from(last) + 1) * MICROS_PER_DAY;
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
        filter: Option<&FilterSpec>,
        window: &Window,
        top: &[Scored],
    ) -> Result<Vec<PopularHit>> {
        let live = top
            .iter()
            .filter_map(|s| Some((s, state.ids.get(&s.item)?)));
        let (scored, ids): (Vec<_>, Vec<&str>) = live.map(|(s, id)| (s, id.as_str())).unzip();
        let offers = state.offers(filter)?;
        let is_anonymous = state.config.anonymity.is_on();
        let best = top.first().map_or(1.0, |best| best.score);
        let hit = |(scored, item): (&Scored, Option<Item>)| {
            let item = item?;
            // Nobody knows how many people events are of.
            let is_told = !is_anonymous;
            let number = log.number(&item.id).filter(|_| is_told);
            let events = number.map_or(0, |n| window.events(log, n));
            Some(PopularHit {
                id: item.id.clone(),
                // The score of one day would be the number of events of a kind.
                score: match is_anonymous {
                    true => scored.score / best,
                    false => scored.score,
                },
                events,
                reason: Reason {
                    code: "popular".into(),
                    items: Vec::new(),
                    text: match self.behavior.is_private() {
                        true => "Popular, by counts with noise that hides each shopper".to_owned(),
                        false if !is_told => "Popular now".to_owned(),
                        false => format!("Popular: {events} events in {} days", window.days()),
                    },
                },
                offer: offers.of(&item),
                item,
            })
        };
        let records = self.load_many(state, &ids)?;
        Ok(scored.into_iter().zip(records).filter_map(hit).collect())
    }
}

/// A range of days, both ends included.
struct Window {
    first: i32,
    last: i32,
}

impl Window {
    fn days(&self) -> i32 {
        self.last - self.first + 1
    }

    /// Returns the decayed weight of the events with an item of the log; None if there are none.
    fn score(&self, log: &Log, item: u32) -> Option<f32> {
        let half_life = self.days() as f32 / 2.0;
        let days = log.daily.between(item, self.first, self.last).iter();
        let decay = |day: i32| (-(self.last - day) as f32 / half_life).exp2();
        let score: f32 = days.map(|d| d.weight * decay(d.day)).sum();
        (score > 0.0).then_some(score)
    }

    fn events(&self, log: &Log, item: u32) -> u64 {
        let days = log.daily.between(item, self.first, self.last).iter();
        days.map(|d| u64::from(d.events)).sum()
    }
}
