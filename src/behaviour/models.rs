//! Models as stored: read at the start, written after a training, gone back to.

use std::sync::Arc;

use vitrine_schemas::{ModelInfo, ModelsResponse};

use super::{Behaviour, Model};
use crate::{
    Error, Result,
    storage::{Batch, ModelList, Store},
};

/// Reads the list, and removes the model in the writing of which a crash came.
pub(super) fn read_list(store: &Store, collection: u32) -> Result<ModelList> {
    let mut list = store.model_list(collection)?;
    if let Some(half) = list.pending.take() {
        let mut batch = Batch::default();
        batch.delete_model(collection, half);
        batch.put_model_list(collection, &list)?;
        store.write(batch)?;
    }
    Ok(list)
}

impl Behaviour {
    /// Loads the model in use. One that cannot be read is no reason not to start: the next training makes another.
    pub(super) fn load_active(&self) -> Result<()> {
        let list = self.list.lock();
        let active = list.as_ref().and_then(|l| l.models.get(&l.active?));
        if let Some(info) = active {
            match self.load(info) {
                Ok(model) => *self.model.write() = Some(Arc::new(model)),
                Err(e) => tracing::warn!("model {} is left out: {e}", info.version),
            }
        }
        Ok(())
    }

    fn load(&self, info: &ModelInfo) -> Result<Model> {
        let bytes = self.store.model(self.collection, info.version)?;
        Model::from_bytes(&bytes, info.clone())
    }

    /// The stored models, the newest first.
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

    /// Answers by another stored model from now on.
    ///
    /// # Errors
    /// There is none of this version, or events were erased since it was trained.
    pub fn activate(&self, version: u64) -> Result<ModelInfo> {
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        let Some(info) = next.models.get(&version).cloned() else {
            let there: Vec<_> = next.models.keys().map(u64::to_string).collect();
            return Err(Error::invalid(
                "/version",
                format!("no model {version}; there are: {}", there.join(", ")),
            ));
        };
        let model = self.load(&info)?;
        next.active = Some(version);
        let mut batch = Batch::default();
        batch.put_model_list(self.collection, &next)?;
        self.store.write(batch)?;
        *list = Some(next);
        *self.model.write() = Some(Arc::new(model));
        Ok(ModelInfo {
            active: true,
            ..info
        })
    }

    /// Stores a trained model as the next version and answers by it; `names` are the ids of its items. Older ones than
    /// the configuration keeps go; all go where events had been erased when this one was trained, which they may know.
    pub(super) fn adopt(
        &self,
        mut model: Model,
        names: &[String],
        was_erased: bool,
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

        let mut list = self.list.lock();
        let Some(mut next) = list.clone() else {
            // Dropped meanwhile: nothing may stay.
            let mut batch = Batch::default();
            batch.delete_model(self.collection, version);
            self.store.write(batch)?;
            return Err(Error::Cancelled);
        };
        let mut batch = Batch::default();
        if let Some(fresh) = names.get(next.items as usize..).filter(|f| !f.is_empty()) {
            batch.put_model_items(self.collection, next.items, fresh)?;
            next.items = names.len() as u32;
        }
        let keep = self.config.read().keep_models.max(1) - 1;
        let keep = if was_erased { 0 } else { keep };
        while next.models.len() > keep {
            let Some((old, _)) = next.models.pop_first() else {
                break;
            };
            batch.delete_model(self.collection, old);
        }
        next.models.insert(version, model.info().clone());
        next.active = Some(version);
        next.pending = None;
        next.erased &= !was_erased;
        self.write_list(&next, batch)?;
        *list = Some(next);
        let model = Arc::new(model);
        *self.model.write() = Some(model.clone());
        Ok(model)
    }

    fn write_list(&self, list: &ModelList, mut batch: Batch) -> Result<()> {
        batch.put_model_list(self.collection, list)?;
        self.store.write(batch)
    }

    /// Whether events were erased since the newest model was trained.
    pub(super) fn erased(&self) -> bool {
        self.list.lock().as_ref().is_some_and(|l| l.erased)
    }
}
