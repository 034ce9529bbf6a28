//! Rankers of a collection: stored, activated, rolled back and deleted.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use parking_lot::{Mutex, RwLock};
use vitrine_schemas::{
    RankerInfo, RankerModel, RankerResponse, RankerUpload, RankersResponse, SearchMode,
};

use crate::{
    Error, Result,
    collection::Collection,
    rerank::{Forest, TextCache},
    storage::{Batch, RankerList, Store},
};

/// Maximum number of stored rankers; the oldest ones that are not active are dropped.
const MAX_RANKERS: usize = 10;

/// Maximum number of activations that can be rolled back.
const MAX_ROLLBACKS: usize = 10;

/// The ranker that searches are ranked by.
pub(in crate::collection) struct ActiveRanker {
    pub version: u64,
    pub mode: SearchMode,
    pub depth: usize,
    pub forest: Forest,
}

/// Rankers of a collection, the active one in memory.
pub(in crate::collection) struct Rankers {
    /// Stored rankers; None once the collection is dropped.
    list: Mutex<Option<RankerList>>,
    active: RwLock<Option<Arc<ActiveRanker>>>,
    /// Analyzed texts of items.
    pub texts: TextCache,
}

impl Rankers {
    /// Reads the rankers. An unreadable one, or one with other features, does not prevent the
    /// opening; searches are not reranked then.
    pub fn open(store: &Store, collection: u32, name: &str) -> Result<Self> {
        let list = store.ranker_list(collection)?;
        let mut active = None;
        if let Some(version) = list.activated.last() {
            match load(store, collection, *version) {
                Ok(ranker) => active = Some(Arc::new(ranker)),
                Err(e) => tracing::warn!(
                    collection = name,
                    "ranker {version} is not used, train it again: {e}"
                ),
            }
        }
        Ok(Self {
            list: Mutex::new(Some(list)),
            active: RwLock::new(active),
            texts: TextCache::default(),
        })
    }

    /// Returns the active ranker.
    pub fn active(&self) -> Option<Arc<ActiveRanker>> {
        self.active.read().clone()
    }

    /// Returns the approximate memory, in bytes.
    pub fn bytes(&self) -> u64 {
        let active = self.active.read();
        active.as_ref().map_or(0, |ranker| ranker.forest.bytes()) + self.texts.bytes()
    }

    /// Stops storing rankers; the collection is dropped.
    pub fn close(&self) {
        *self.list.lock() = None;
    }
}

impl Collection {
    /// Returns the stored rankers, the newest first.
    pub fn rankers(&self) -> RankersResponse {
        let list = self.rankers.list.lock().clone().unwrap_or_default();
        let rankers = list.rankers.values().rev();
        RankersResponse {
            active: list.activated.last().copied(),
            rankers: rankers.map(|info| current(&list, info)).collect(),
        }
    }

    /// Returns a ranker with its ranking function.
    ///
    /// # Errors
    /// [`Error::Invalid`]: there is no ranker of this version.
    pub fn ranker(&self, version: u64) -> Result<RankerResponse> {
        let list = self.rankers.list.lock().clone().unwrap_or_default();
        let info = list.rankers.get(&version);
        let info = info.ok_or_else(|| unknown(&list, version))?;
        Ok(RankerResponse {
            info: current(&list, info),
            model: stored(&self.store, self.id, version)?,
        })
    }

    /// Stores a ranker, and activates it if it was significantly better on held-out queries.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a pointer into the model.
    pub fn add_ranker(&self, upload: &RankerUpload) -> Result<RankerInfo> {
        let forest = Forest::of(&upload.model)?;
        let mut list = self.rankers.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        next.last += 1;
        let version = next.last;
        let promoted = upload.figures.is_better();
        let info = RankerInfo {
            version,
            active: false,
            promoted,
            stored_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            mode: upload.model.mode,
            depth: upload.model.depth,
            feature_version: upload.model.feature_version,
            trees: upload.model.trees.len() as u64,
            training: upload.training.clone(),
            figures: upload.figures.clone(),
        };
        next.rankers.insert(version, info.clone());
        let mut batch = Batch::default();
        batch.put_ranker(self.id, version, &upload.model)?;
        if promoted {
            activate(&mut next, version);
        }
        drop_oldest(&mut next, self.id, &mut batch);
        batch.put_ranker_list(self.id, &next)?;
        self.store.write(batch)?;
        let info = current(&next, &info);
        *list = Some(next);
        if promoted {
            *self.rankers.active.write() = Some(Arc::new(ActiveRanker {
                version,
                mode: upload.model.mode,
                depth: upload.model.depth,
                forest,
            }));
        }
        Ok(info)
    }

    /// Activates a stored ranker, also one that was not promoted.
    ///
    /// # Errors
    /// [`Error::Invalid`]: there is no ranker of this version, or its features are not those of
    /// this server.
    pub fn activate_ranker(&self, version: u64) -> Result<RankerInfo> {
        let ranker = || load(&self.store, self.id, version);
        self.change_rankers(|next| {
            let info = next.rankers.get(&version).cloned();
            let info = info.ok_or_else(|| unknown(next, version))?;
            activate(next, version);
            Ok((Some(ranker()?), current(next, &info)))
        })
    }

    /// Activates the ranker that was active before, or none if there was none.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no ranker is active, or the features of the one before are not those of
    /// this server.
    pub fn roll_back_ranker(&self) -> Result<RankersResponse> {
        self.change_rankers(|next| {
            if next.activated.pop().is_none() {
                return Err(Error::invalid(
                    "",
                    "no ranker is active; activate a version",
                ));
            }
            let before = next.activated.last();
            let before = before.map(|version| load(&self.store, self.id, *version));
            Ok((before.transpose()?, ()))
        })?;
        Ok(self.rankers())
    }

    /// Deletes a ranker. If it is the active one, the one that was active before takes its place.
    ///
    /// # Errors
    /// [`Error::Invalid`]: there is no ranker of this version.
    pub fn delete_ranker(&self, version: u64) -> Result<()> {
        self.change_rankers(|next| {
            if next.rankers.remove(&version).is_none() {
                return Err(unknown(next, version));
            }
            next.activated.retain(|other| *other != version);
            next.activated.dedup();
            let active = next.activated.last();
            let active = active.map(|version| load(&self.store, self.id, *version));
            Ok((active.transpose()?, ()))
        })
    }

    /// Changes the list and the active ranker; rankers that the list lost are deleted.
    fn change_rankers<T>(
        &self,
        change: impl FnOnce(&mut RankerList) -> Result<(Option<ActiveRanker>, T)>,
    ) -> Result<T> {
        let mut list = self.rankers.list.lock();
        let before = list.clone().ok_or(Error::Cancelled)?;
        let mut next = before.clone();
        let (active, result) = change(&mut next)?;
        let mut batch = Batch::default();
        for version in before.rankers.keys() {
            if !next.rankers.contains_key(version) {
                batch.delete_ranker(self.id, *version);
            }
        }
        batch.put_ranker_list(self.id, &next)?;
        self.store.write(batch)?;
        *list = Some(next);
        *self.rankers.active.write() = active.map(Arc::new);
        Ok(result)
    }
}

fn activate(list: &mut RankerList, version: u64) {
    if list.activated.last() != Some(&version) {
        list.activated.push(version);
    }
    let extra = list.activated.len().saturating_sub(MAX_ROLLBACKS);
    list.activated.drain(..extra);
}

/// Drops the oldest rankers beyond the maximum number, but not the active one.
fn drop_oldest(list: &mut RankerList, collection: u32, batch: &mut Batch) {
    while list.rankers.len() > MAX_RANKERS {
        let active = list.activated.last().copied();
        let oldest = list.rankers.keys().copied().find(|v| Some(*v) != active);
        let Some(oldest) = oldest else {
            return;
        };
        list.rankers.remove(&oldest);
        list.activated.retain(|version| *version != oldest);
        batch.delete_ranker(collection, oldest);
    }
}

fn current(list: &RankerList, info: &RankerInfo) -> RankerInfo {
    RankerInfo {
        active: list.activated.last() == Some(&info.version),
        ..info.clone()
    }
}

fn stored(store: &Store, collection: u32, version: u64) -> Result<RankerModel> {
    let model = store.ranker(collection, version)?;
    model.ok_or_else(|| Error::Corrupt {
        column: "models",
        detail: format!("ranker {version} is missing"),
    })
}

fn load(store: &Store, collection: u32, version: u64) -> Result<ActiveRanker> {
    let model = stored(store, collection, version)?;
    Ok(ActiveRanker {
        version,
        mode: model.mode,
        depth: model.depth,
        forest: Forest::of(&model)?,
    })
}

fn unknown(list: &RankerList, version: u64) -> Error {
    Error::no_version("ranker", version, list.rankers.keys())
}
