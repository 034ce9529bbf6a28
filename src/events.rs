//! The event store: checked, deduplicated by id, one batch a call.

use std::{collections::HashSet, sync::Arc};

use vitrine_schemas::{Event, EventResult, EventStatus};

use crate::{
    Collection, Error, Result,
    collection::rfc3339_micros,
    storage::{Batch, Store},
};

pub(crate) fn append(
    store: &Store,
    events: &[Event],
    find: impl Fn(&str) -> Option<Arc<Collection>>,
) -> Result<Vec<EventResult>> {
    let (mut batch, mut seen, mut results) = (Batch::default(), HashSet::new(), Vec::new());
    let mut accepted = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let (status, error) = match one(store, event, &find, &mut batch, &mut seen, &mut accepted) {
            Ok(status) => (status, None),
            Err(e) if e.is_user() => (EventStatus::Rejected, Some(e.to_string())),
            Err(e) => return Err(e),
        };
        results.push(EventResult {
            index: index as u64,
            status,
            error,
        });
    }
    store.write(batch)?;
    for (collection, micros, event) in accepted {
        collection.learn_of(&event, micros);
    }
    Ok(results)
}

fn one(
    store: &Store,
    event: &Event,
    find: &impl Fn(&str) -> Option<Arc<Collection>>,
    batch: &mut Batch,
    seen: &mut HashSet<(u32, String)>,
    accepted: &mut Vec<(Arc<Collection>, i64, Event)>,
) -> Result<EventStatus> {
    let collection = find(&event.collection)
        .ok_or_else(|| Error::CollectionNotFound(event.collection.clone()))?;
    if event.user.is_none() && event.session.is_none() {
        return Err(Error::invalid("/user", "give `user` or `session`"));
    }
    if event.items.is_empty() {
        return Err(Error::invalid("/items", "name at least one item"));
    }
    if event
        .id
        .as_ref()
        .is_some_and(|i| i.is_empty() || i.len() > 512)
    {
        return Err(Error::invalid("/id", "must have 1 to 512 bytes"));
    }
    let content = serde_json::to_vec(event).map_err(|e| Error::Storage(e.to_string()))?;
    let mut event = event.clone();
    let id = event
        .id
        .get_or_insert_with(|| blake3::hash(&content).to_hex().to_string())
        .clone();
    let ts = event
        .ts
        .get_or_insert_with(|| chrono::Utc::now().to_rfc3339());
    let micros = rfc3339_micros("/ts", ts)?;
    if store.has_event(collection.id(), &id)? || !seen.insert((collection.id(), id.clone())) {
        return Ok(EventStatus::Duplicate);
    }
    batch.put_event(collection.id(), micros, &id, &event)?;
    let unknown = event
        .items
        .iter()
        .any(|i| matches!(collection.get(i, false), Err(Error::ItemNotFound(_))));
    accepted.push((collection, micros, event));
    Ok(if unknown {
        EventStatus::UnknownItems
    } else {
        EventStatus::Accepted
    })
}
