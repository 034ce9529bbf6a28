//! Erasures of users and sessions, and what of them is done.

use std::{collections::BTreeSet, sync::Arc};

use chrono::Utc;
use vitrine_schemas::{EraseResponse, ErasureStatus, ErasureStep, ErasureSteps};

use super::Database;
use crate::{
    Collection, Result,
    events::Subject,
    storage::{Batch, Listing, PURGE_DELAY, StoredErasure, new_id},
};

impl Database {
    /// Erases a user or a session from collections: all events and recorded searches of a session;
    /// of a user, theirs and those of their sessions without another user. The erasure is durable
    /// when this returns; retraining replaces the models.
    ///
    /// # Errors
    /// The name is empty or too long, or the store failed; the other collections are then erased
    /// all the same, and the files will be rewritten.
    pub fn erase(&self, subject: &Subject, from: &[Arc<Collection>]) -> Result<EraseResponse> {
        subject.check()?;
        let _one = self.events.lock();
        let mut erased = EraseResponse::default();
        let (mut affected, mut failed) = (Vec::new(), Ok(()));
        for collection in from {
            let (events, searches) = match collection.erase(subject) {
                Ok(erased) => erased,
                Err(e) => {
                    // A part may be erased.
                    affected.push(collection.id());
                    failed = failed.and(Err(e));
                    continue;
                }
            };
            affected.extend((events + searches > 0).then(|| collection.id()));
            if events > 0 {
                erased.events.insert(collection.name().into(), events);
            }
            if searches > 0 {
                erased.searches.insert(collection.name().into(), searches);
            }
        }
        if !affected.is_empty() {
            // Recorded also if another collection failed.
            let recorded = self.record_erasure(affected);
            failed = failed.and_then(|()| recorded.map(|id| erased.erasure = Some(id)));
        }
        failed.map(|()| erased)
    }

    /// Erases all users and sessions that a predicate names, from all collections, and rewrites
    /// the files without them; returns their number. For restored snapshots, which hold who was
    /// erased since.
    ///
    /// # Errors
    /// The store failed.
    pub fn erase_all(&self, is_erased: impl Fn(&Subject) -> bool) -> Result<u64> {
        let collections = self.open_collections();
        let mut subjects = BTreeSet::new();
        for collection in &collections {
            for (listing, subject) in [
                (Listing::User, Subject::User as fn(String) -> Subject),
                (Listing::SearchUser, Subject::User),
                (Listing::Session, Subject::Session),
                (Listing::SearchSession, Subject::Session),
            ] {
                self.store.scan_subjects(collection.id(), listing, |name| {
                    let subject = subject(name.to_owned());
                    if is_erased(&subject) {
                        subjects.insert(subject);
                    }
                    Ok(())
                })?;
            }
        }
        for subject in &subjects {
            self.erase(subject, &collections)?;
        }
        if !subjects.is_empty() {
            self.store.purge()?;
        }
        Ok(subjects.len() as u64)
    }

    /// Records an erasure from collections, and makes the rewriting of the files due. Returns its
    /// id.
    fn record_erasure(&self, collections: Vec<u32>) -> Result<String> {
        let id = new_id();
        let erasure = StoredErasure {
            at: Utc::now(),
            collections,
            purged_at: None,
        };
        let mut batch = Batch::default();
        batch.put_erasure(&id, &erasure)?;
        self.store.mark_purge(batch)?;
        Ok(id)
    }

    /// Returns what of an erasure is done and what is due; `None` if there is none with this id.
    ///
    /// # Errors
    /// The store failed.
    pub fn erasure(&self, id: &str) -> Result<Option<ErasureStatus>> {
        let Some(stored) = self.store.erasure(id)? else {
            return Ok(None);
        };
        let affected = self.open_collections().into_iter();
        let affected = affected.filter(|c| stored.collections.contains(&c.id()));
        let due = affected.filter(|c| c.has_erased_events_in_models());
        let training_due: Vec<_> = due.map(|c| c.name().to_owned()).collect();
        let files = match stored.purged_at {
            Some(at) => ErasureStep::done(at.to_rfc3339()),
            None => ErasureStep::due((stored.at + PURGE_DELAY).to_rfc3339()),
        };
        let erased_at = stored.at.to_rfc3339();
        Ok(Some(ErasureStatus {
            id: id.to_owned(),
            is_done: training_due.is_empty() && stored.purged_at.is_some(),
            steps: ErasureSteps {
                records: ErasureStep::done(erased_at.clone()),
                training_due,
                files,
            },
            erased_at,
            snapshots: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Error, Options};

    #[test]
    fn what_was_erased_is_purged_although_another_collection_failed() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            index_threads: 0,
            ..Options::default()
        };
        let database = Database::open(folder.path(), options).unwrap();
        let config = json!({"vectors": {"shared": {"dim": 2}}});
        let made = ["a", "b", "c"].map(|name| {
            let config = serde_json::from_value(config.clone()).unwrap();
            let made = database.create_collection(name, config).unwrap();
            let event = json!({"kind": "view", "collection": name, "user": "u", "items": ["i"]});
            let event = serde_json::from_value(event).unwrap();
            database.append_events(&[event]).unwrap();
            made
        });
        // A closed collection refuses the erasure; its events are still stored.
        made[1].close(|| Ok(())).unwrap();
        let erased = database.erase(&Subject::User("u".into()), &made);
        assert!(matches!(erased, Err(Error::Cancelled)), "{erased:?}");
        for name in ["a", "c"] {
            let id = database.collection(name).unwrap().id();
            let mut left = 0;
            let count = |_: &str| {
                left += 1;
                Ok(())
            };
            database
                .store
                .scan_subjects(id, Listing::User, count)
                .unwrap();
            assert_eq!(left, 0, "{name}");
        }
        let is_due = database.store.is_purge_due();
        assert!(is_due, "the files still have what was erased");
    }
}
