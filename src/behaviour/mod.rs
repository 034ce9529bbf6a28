//! What shoppers of a collection did, and the models learned from it.
//!
//! The event store keeps every event; here is what recommending needs of them, in memory: a log of who touched which
//! item ([`Log`]), and what was learned from it at the last training ([`Model`]). A history is read from the log at the
//! time of the question, so an event counts at once; what items have to do with each other waits for the next training.

mod daily;
mod log;
mod model;
mod popular;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};

pub(crate) use self::{
    daily::day_of,
    log::{Log, Person},
    model::Model,
};
use crate::Result;

/// Trains again when so much of the log is new.
const NEW_SHARE: f64 = 0.1;

/// Rests so many times as long as a training took, and at least [`REST`].
const REST_PER_WORK: u32 = 10;
const REST: Duration = Duration::from_secs(2);

/// Behaviour in one collection.
#[derive(Default)]
pub(crate) struct Behaviour {
    pub log: RwLock<Log>,
    model: RwLock<Option<Arc<Model>>>,
    /// Held by a training; when another is due.
    due: Mutex<Option<Instant>>,
}

impl Behaviour {
    /// What was learned last.
    pub fn model(&self) -> Option<Arc<Model>> {
        self.model.read().clone()
    }

    /// Learns from the log of now. Questions are answered by the model before until it is done.
    pub fn train(&self) -> Result<Arc<Model>> {
        let mut due = self.due.lock();
        self.train_under(&mut due)
    }

    /// Trains where enough is new; whether it did.
    pub fn train_if_due(&self) -> Result<bool> {
        let Some(mut due) = self.due.try_lock() else {
            return Ok(false);
        };
        let known = self.model().map_or(0, |m| m.touches());
        let touches = self.log.read().touches();
        let fresh = (touches - known.min(touches)) as f64;
        let resting = due.is_some_and(|due| Instant::now() < due);
        if fresh == 0.0 || fresh < NEW_SHARE * known as f64 || resting {
            return Ok(false);
        }
        self.train_under(&mut due)?;
        Ok(true)
    }

    fn train_under(&self, due: &mut Option<Instant>) -> Result<Arc<Model>> {
        let started = Instant::now();
        let model = Model::fit(&self.log)?;
        let model = Arc::new(model);
        *self.model.write() = Some(model.clone());
        let took = started.elapsed();
        *due = Some(Instant::now() + (took * REST_PER_WORK).max(REST));
        Ok(model)
    }
}
