//! A batch of records becomes changes: of several records with one id the last valid one counts.

use std::collections::HashMap;

use rayon::prelude::*;
use vitrine_schemas::Item;

use super::{IndexError, Pipeline, RejectKind, prepare::Prepared, short_hash};
use crate::source::Record;

/// Number of duplicates that are logged one by one.
const MAX_LOGGED: u64 = 10;

/// Change by one record.
enum Version {
    Item(u64, Box<Item>),
    Delete,
}

/// Versions of one item within a batch, in the order of their records.
type Chain = Vec<Version>;

impl Pipeline<'_> {
    pub(super) fn batch(&mut self, records: Vec<Record>) -> Result<(), IndexError> {
        let mut chains = self.chains(records)?;
        // If the last version of an item fails, the one before it is tried.
        while !chains.is_empty() {
            self.failed.clear();
            let (mut items, mut deletes) = (Vec::new(), Vec::new());
            for (id, chain) in &mut chains {
                match chain.pop() {
                    Some(Version::Item(line, item)) => items.push((line, *item)),
                    Some(Version::Delete) => deletes.push(id.clone()),
                    None => {}
                }
            }
            if !deletes.is_empty() {
                self.summary.deleted += self.sink.delete(&deletes)?;
            }
            self.store(items)?;
            chains.retain(|(id, chain)| !chain.is_empty() && self.failed.contains(id));
        }
        Ok(())
    }

    /// Returns the versions of each item, in the order of their first records.
    fn chains(&mut self, records: Vec<Record>) -> Result<Vec<(String, Chain)>, IndexError> {
        let mut chains: Vec<(String, Chain)> = Vec::with_capacity(records.len());
        let mut places = HashMap::new();
        for record in records {
            self.summary.read += 1;
            let Some((id, version)) = self.version(record)? else {
                continue;
            };
            let place = *places.entry(id.clone()).or_insert(chains.len());
            if place == chains.len() {
                chains.push((id, Vec::new()));
            }
            chains[place].1.push(version);
        }
        Ok(chains)
    }

    fn version(&mut self, record: Record) -> Result<Option<(String, Version)>, IndexError> {
        let Record {
            line,
            id,
            item,
            is_delete,
            notes,
            superseded,
        } = record;
        for note in &notes {
            self.refuse_value(note, id.as_deref())?;
        }
        for line in superseded {
            self.duplicate(line, id.as_deref());
        }
        let item = match item {
            Ok(item) => item,
            Err(reason) => {
                match &id {
                    Some(id) => {
                        self.seen.entry(short_hash(id)).or_insert(false);
                    }
                    None => self.unnamed.get_or_insert((line, 0)).1 += 1,
                }
                self.reject(line, id.as_deref(), RejectKind::Record, &reason)?;
                return Ok(None);
            }
        };
        let id = item.id.clone();
        if is_delete {
            self.seen.remove(&short_hash(&id));
            return Ok(Some((id, Version::Delete)));
        }
        if self.seen.insert(short_hash(&id), true) == Some(true) {
            self.duplicate(line, Some(&id));
        }
        Ok(Some((id, Version::Item(line, Box::new(item)))))
    }

    fn duplicate(&mut self, line: u64, id: Option<&str>) {
        self.summary.duplicates += 1;
        if self.summary.duplicates <= MAX_LOGGED {
            tracing::warn!(line, id, "duplicate id; the last valid record counts");
        }
    }

    /// Embeds and writes the items that changed.
    fn store(&mut self, mut items: Vec<(u64, Item)>) -> Result<(), IndexError> {
        if items.is_empty() {
            return Ok(());
        }
        self.declare_attributes(items.iter().map(|(_, item)| item))?;
        for (line, item) in &mut items {
            self.conform(*line, item)?;
        }
        let (images, options) = (&self.images, &self.options);
        let fingerprint = self.embedder.fingerprint();
        let mut prepared: Vec<_> = items
            .into_par_iter()
            .map(|(line, item)| Prepared::new(line, item, images, fingerprint, options))
            .collect();
        let ids: Vec<_> = prepared.iter().map(|p| p.item.id.clone()).collect();
        let stored = self.sink.hashes(&ids)?;
        prepared.retain(|p| stored.get(&p.item.id) != Some(&p.hash));
        self.summary.skipped += (ids.len() - prepared.len()) as u64;
        let items = self.embed(prepared)?;
        self.write(items)
    }
}
