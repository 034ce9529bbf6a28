//! Retention: the age at which events are removed, by kind, and their removal.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Instant};

use vitrine_schemas::{BehaviorConfig, EventKind};

use super::{Behavior, DAY, EXPIRY_INTERVAL};
use crate::{
    Result,
    storage::{Batch, EventRef},
};

/// Events removed per batch.
const EXPIRY_BATCH: usize = 1000;

/// Times before which events are not kept, in microseconds since 1970.
#[derive(Clone, Default)]
pub(crate) struct Horizons {
    /// That of the kinds without their own.
    all: Option<i64>,
    kinds: BTreeMap<EventKind, i64>,
}

impl Horizons {
    /// Returns the horizons of settings at a time.
    pub fn new(config: &BehaviorConfig, now: i64) -> Self {
        let horizon = |days: f64| now.saturating_sub((days * DAY) as i64);
        let kinds = config.retention_days_by_kind.iter();
        Self {
            all: config.retention_days.map(horizon),
            kinds: kinds.map(|(kind, days)| (*kind, horizon(*days))).collect(),
        }
    }

    /// Returns the horizon of all kinds at a time.
    #[cfg(test)]
    pub fn from_time(micros: i64) -> Self {
        Self {
            all: Some(micros),
            ..Self::default()
        }
    }

    /// Returns the time before which events of a kind are not kept. What users follow is kept: it
    /// holds until they unfollow.
    pub fn of(&self, kind: EventKind) -> Option<i64> {
        if kind.is_about_followed() {
            return None;
        }
        self.kinds.get(&kind).copied().or(self.all)
    }

    /// Returns the latest of all horizons: no event after it expires.
    fn latest(&self) -> Option<i64> {
        self.kinds.values().copied().chain(self.all).max()
    }
}

impl Behavior {
    /// Returns the times before which events are not kept.
    pub fn horizons(&self) -> Horizons {
        Horizons::new(&self.config.read(), self.clock.now())
    }

    /// Removes old events if it is time; returns true if there were any.
    pub(super) fn expire_if_due(&self) -> Result<bool> {
        {
            let mut expiry = self.expiry.lock();
            if Instant::now() < *expiry {
                return Ok(false);
            }
            *expiry = Instant::now() + EXPIRY_INTERVAL;
        }
        Ok(self.expire()? > 0)
    }

    /// Removes events older than the retention; returns their number.
    pub(super) fn expire(&self) -> Result<u64> {
        let horizons = self.horizons();
        let Some(latest) = horizons.latest() else {
            return Ok(0);
        };
        if !self.store.may_expire(self.clock.now())? {
            return Ok(0);
        }
        let (mut expired, mut next) = (0, Some(EventRef::first_at(i64::MIN)));
        while let Some(from) = next {
            next = None;
            let (mut batch, mut count) = (Batch::default(), 0);
            self.store
                .scan_events_from(self.collection, from, |at, event| {
                    if count == EXPIRY_BATCH {
                        next = Some(at);
                        return Ok(false);
                    }
                    if horizons.of(event.kind).is_some_and(|h| at.micros < h) {
                        batch.delete_event(self.collection, at, &event);
                        count += 1;
                    }
                    Ok(at.micros < latest)
                })?;
            self.store.write(batch)?;
            expired += count as u64;
        }
        self.expired.fetch_add(expired, Relaxed);
        if expired > 0 {
            tracing::info!(
                events = expired,
                "removed events older than their retention"
            );
        }
        Ok(expired)
    }
}
