//! Stored models: loaded at startup, written after a training, and activated again.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use chrono::DateTime;
use vitrine_schemas::{ModelInfo, ModelsResponse};

use super::{Behavior, Model};
use crate::{
    Error, Result,
    storage::{Batch, ModelList, Store},
};

/// Rows counted while the log is locked.
const SLICE: u64 = 1 << 12;

/// Reasons why the newest model has events that it must not have.
#[derive(Clone, Copy, Default)]
pub(super) struct Removed {
    /// Events were erased.
    pub erased: bool,
    /// Users or sessions withdrew their consent.
    pub withdrawn: bool,
    /// Number of erasures and withdrawals since the start.
    count: u64,
}

impl Removed {
    fn any(self) -> bool {
        self.erased || self.withdrawn
    }
}

/// Reads the list, and removes a model left half-written by a crash.
pub(super) fn read_list(store: &Store, collection: u32) -> Result<ModelList> {
    let mut list = store.model_list(collection)?;
    if let Some(version) = list.pending.take() {
        let mut batch = Batch::default();
        store.delete_model(&mut batch, collection, version)?;
        batch.put_model_list(collection, &list)?;
        store.write(batch)?;
    }
    Ok(list)
}

impl Behavior {
    /// Loads the active model. An unreadable one does not prevent startup: the next training
    /// replaces it.
    pub(super) fn load_active(&self) -> Result<()> {
        let list = self.list.lock();
        let active = list.as_ref().and_then(|l| l.models.get(&l.active?));
        if let Some(info) = active {
            match self.load(info) {
                Ok(model) => {
                    let from = self.log.read().after(last_event(info));
                    model.complete(&self.log.read(), from)?;
                    self.activate_from(Arc::new(model), from);
                }
                Err(e) => tracing::warn!("model {} cannot be loaded: {e}", info.version),
            }
        }
        Ok(())
    }

    /// Activates a model after replaying the rows from `from` on in slices, so that ingestion is
    /// not blocked. The log must not be replaced meanwhile.
    fn activate_from(&self, model: Arc<Model>, mut from: u64) {
        loop {
            let log = self.log.read();
            let to = log.end().min(from + SLICE);
            model.count(&log, from..to);
            from = to;
            if from == log.end() {
                // Under the lock of the log, so that no event is missed.
                *self.model.write() = Some(model.clone());
                drop(log);
                model.refresh_popular();
                return;
            }
        }
    }

    fn load(&self, info: &ModelInfo) -> Result<Model> {
        let bytes = self.store.model(self.collection, info.version)?;
        Model::from_bytes(&bytes, info.clone())
    }

    /// Returns the stored models, the newest first.
    pub fn models(&self) -> ModelsResponse {
        let list = self.list.lock().clone().unwrap_or_default();
        let models = list.models.values().rev().cloned().map(|info| ModelInfo {
            active: list.active == Some(info.version),
            ..info
        });
        ModelsResponse {
            models: models.collect(),
        }
    }

    /// Activates a stored model.
    ///
    /// # Errors
    /// There is no model of this version.
    pub fn activate(&self, version: u64) -> Result<ModelInfo> {
        let _replacing = self.replacing.lock();
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        let Some(info) = next.models.get(&version).cloned() else {
            return Err(Error::no_version("model", version, next.models.keys()));
        };
        let model = self.load(&info)?;
        next.active = Some(version);
        let mut batch = Batch::default();
        batch.put_model_list(self.collection, &next)?;
        self.store.write(batch)?;
        *list = Some(next);
        let from = self.log.read().after(last_event(&info));
        model.complete(&self.log.read(), from)?;
        self.activate_from(Arc::new(model), from);
        Ok(ModelInfo {
            active: true,
            ..info
        })
    }

    /// Stores a trained model as the next version and activates it; `names` are the ids of its
    /// items. Drops versions beyond the configured number, or all older ones if events were erased
    /// or withdrawn before this training, since they may contain these.
    pub(super) fn adopt(
        &self,
        mut model: Model,
        names: &[String],
        removed: Removed,
    ) -> Result<Arc<Model>> {
        let bytes = model.to_bytes()?;
        let version = {
            let mut list = self.list.lock();
            let mut next = list.clone().ok_or(Error::Cancelled)?;
            next.last += 1;
            let version = next.last;
            next.pending = Some(version);
            self.write_list(&next, Batch::default())?;
            *list = Some(next);
            version
        };
        self.store.write_model(self.collection, version, &bytes)?;
        model.stored_as(version, bytes.len() as u64);

        let _replacing = self.replacing.lock();
        let mut list = self.list.lock();
        let Some(mut next) = list.clone() else {
            // The collection was dropped meanwhile: nothing may be left.
            let mut batch = Batch::default();
            self.store
                .delete_model(&mut batch, self.collection, version)?;
            self.store.write(batch)?;
            return Err(Error::Cancelled);
        };
        let mut batch = Batch::default();
        if let Some(fresh) = names.get(next.items as usize..).filter(|f| !f.is_empty()) {
            batch.put_model_items(self.collection, next.items, fresh)?;
            next.items = names.len() as u32;
        }
        let keep = self.config.read().keep_models.max(1) - 1;
        let keep = if removed.any() { 0 } else { keep };
        while next.models.len() > keep {
            let Some((old, _)) = next.models.pop_first() else {
                break;
            };
            self.store.delete_model(&mut batch, self.collection, old)?;
        }
        next.models.insert(version, model.info().clone());
        next.active = Some(version);
        next.pending = None;
        // The model may have what was erased or withdrawn while it was fitted.
        if self.removals.load(Relaxed) == removed.count {
            (next.erased, next.withdrawn) = (false, false);
        }
        self.write_list(&next, batch)?;
        *list = Some(next);
        let model = Arc::new(model);
        let from = self.log.read().training_mark();
        self.activate_from(model.clone(), from);
        Ok(model)
    }

    /// Deletes all models; the collection answers without one until the next training.
    pub(super) fn drop_models(&self) -> Result<()> {
        let _replacing = self.replacing.lock();
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        let mut batch = Batch::default();
        for version in std::mem::take(&mut next.models)
            .into_keys()
            .chain(next.pending.take())
        {
            self.store
                .delete_model(&mut batch, self.collection, version)?;
        }
        next.active = None;
        (next.erased, next.withdrawn) = (false, false);
        self.write_list(&next, batch)?;
        *list = Some(next);
        *self.model.write() = None;
        Ok(())
    }

    fn write_list(&self, list: &ModelList, mut batch: Batch) -> Result<()> {
        batch.put_model_list(self.collection, list)?;
        self.store.write(batch)
    }

    /// Returns true if events were erased since the newest model was trained.
    pub fn has_erased_events(&self) -> bool {
        self.removed().erased
    }

    /// Returns why the newest model has events that it must not have.
    pub(super) fn removed(&self) -> Removed {
        let list = self.list.lock();
        list.as_ref().map_or_else(Removed::default, |list| Removed {
            erased: list.erased,
            withdrawn: list.withdrawn,
            count: self.removals.load(Relaxed),
        })
    }

    /// Notes that events were withdrawn, so that a training is due: also after a restart, and also
    /// if the store fails until then.
    pub(super) fn note_withdrawal(&self) {
        let mut list = self.list.lock();
        self.removals.fetch_add(1, Relaxed);
        let Some(list) = list.as_mut().filter(|list| !list.withdrawn) else {
            return;
        };
        list.withdrawn = true;
        if let Err(e) = self.write_list(list, Batch::default()) {
            tracing::error!("a withdrawal is not stored, a restart would forget it: {e}");
        }
    }

    /// Notes a withdrawal by events that came since the last call. Ingestion does not, since it
    /// also repeats operations of another database.
    pub(super) fn note_withdrawal_by_events(&self) {
        if self.withdrawn_by_events.swap(false, Relaxed) {
            self.note_withdrawal();
        }
    }
}

/// Returns the time of the last event that a model was trained on, in microseconds since 1970.
fn last_event(info: &ModelInfo) -> i64 {
    let time = info.last_event.as_deref();
    let time = time.and_then(|t| DateTime::parse_from_rfc3339(t).ok());
    time.map_or(i64::MIN, |t| t.timestamp_micros())
}
