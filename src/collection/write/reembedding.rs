//! Re-embedding a live collection. A second set of spaces is filled next to the active one; a write
//! with vectors of one set keeps those of the other if its content did not change. A switch or
//! rollback exchanges the two sets atomically; the inactive set is maintained until it is dropped.

use std::{collections::BTreeSet, sync::Arc};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    CollectionConfig, FillRequest, FillResponse, PendingItem, PendingResponse, ReembeddingInfo,
    ReembeddingStage, SpaceSetInfo,
};

use crate::{
    Error, Result,
    collection::{
        Collection, State,
        lifecycle::maintain::new_space,
        schema,
        state::{
            read::check_limit,
            space_set::{InactiveSet, SetView, SpaceSet},
        },
    },
    storage::{Batch, StoredReembedding},
};

/// Maximum number of left-out ids in a report.
const MAX_REPORTED_IDS: usize = 100;

/// Records changed at once.
const CHUNK_ITEMS: usize = 4096;

impl State {
    fn other(&self) -> Result<&InactiveSet> {
        self.other.as_ref().ok_or(Error::NoReembedding)
    }

    /// Returns the live items that have vectors in `than` only and are not left out.
    fn pending(&self, set: SetView<'_>, than: SetView<'_>) -> RoaringBitmap {
        (&self.live & than.members_apart(set)) - set.members_apart(than) - set.left_out
    }

    fn describe_set(&self, set: SetView<'_>, than: SetView<'_>) -> SpaceSetInfo {
        let members = set.members_apart(than);
        let left_out = (&self.live & set.left_out) - &members;
        let vectors = set.apart(than).filter_map(|(space, _)| {
            let declared = set.config.vectors.get(space)?;
            Some((space.to_owned(), declared.clone()))
        });
        let ids = left_out.iter().take(MAX_REPORTED_IDS);
        SpaceSetInfo {
            fingerprint: set.config.fingerprint.clone(),
            vectors: vectors.collect(),
            items: self.live.intersection_len(&members),
            pending: self.pending(set, than).len(),
            left_out: left_out.len(),
            left_out_ids: ids.filter_map(|n| self.ids.get(&n).cloned()).collect(),
        }
    }

    fn describe_reembedding(&self) -> Option<ReembeddingInfo> {
        let other = self.other.as_ref()?;
        let (current, rest) = (self.view(), other.set.view());
        Some(ReembeddingInfo {
            stage: if other.is_switched {
                ReembeddingStage::Switched
            } else {
                ReembeddingStage::Filling
            },
            started: other.started.clone(),
            switched: other.switched.clone(),
            current: self.describe_set(current, rest),
            other: self.describe_set(rest, current),
        })
    }

    /// Returns the set of a fingerprint, then the other set.
    fn both(&self, fingerprint: &str) -> Result<(SetView<'_>, SetView<'_>)> {
        let other = self.other()?.set.view();
        if other.config.fingerprint.as_deref() == Some(fingerprint) {
            return Ok((other, self.view()));
        }
        Ok((self.set_of(Some(fingerprint))?, other))
    }
}

impl Collection {
    /// Returns the schema of the encoders with this fingerprint; during a re-embedding there are
    /// two.
    ///
    /// # Errors
    /// [`Error::FingerprintMismatch`] if no set of the collection has it.
    pub fn config_of(&self, fingerprint: Option<&str>) -> Result<Arc<CollectionConfig>> {
        self.state.read().configs().of(fingerprint).cloned()
    }

    /// Returns the re-embedding under way, if any.
    pub fn reembedding(&self) -> Option<ReembeddingInfo> {
        self.state.read().describe_reembedding()
    }

    /// Returns items that lack vectors of these encoders, in the order of their versions.
    ///
    /// # Errors
    /// No re-embedding is under way, the fingerprint is of neither set, or the limit is not 1 to
    /// 1000.
    pub fn pending(
        &self,
        fingerprint: &str,
        after: Option<u32>,
        limit: usize,
    ) -> Result<PendingResponse> {
        check_limit(limit)?;
        let state = self.state.read();
        let (set, than) = state.both(fingerprint)?;
        let from = after.map_or(0, |n| n.saturating_add(1));
        let pending = state.pending(set, than);
        let mut rest = pending.range(from..);
        let internal_ids: Vec<u32> = rest.by_ref().take(limit).collect();
        let next = internal_ids
            .last()
            .copied()
            .filter(|_| rest.next().is_some());
        let there: Vec<_> = than.spaces.iter().map(|(s, i)| (s, i.members())).collect();
        let ids = internal_ids.iter().filter_map(|n| state.ids.get(n));
        let ids: Vec<_> = ids.map(String::as_str).collect();
        let records = self.load_many(&state, &ids)?;
        let item = |(version, item): (&u32, Option<_>)| {
            let has = there
                .iter()
                .filter(|(_, members)| members.contains(*version));
            Some(PendingItem {
                version: *version,
                spaces: has.map(|(space, _)| (*space).clone()).collect(),
                item: item?,
            })
        };
        Ok(PendingResponse {
            items: internal_ids.iter().zip(records).filter_map(item).collect(),
            next,
        })
    }

    /// Stores vectors of these encoders for items that lack them; vectors of an outdated version
    /// are skipped.
    ///
    /// # Errors
    /// No re-embedding is under way, the fingerprint is of neither set, a vector does
    /// not fit its space, or a limit is exceeded. Nothing is stored then.
    pub fn fill(&self, request: FillRequest) -> Result<FillResponse> {
        if !(1..=1000).contains(&request.items.len()) {
            return Err(Error::invalid("/items", "expected 1 to 1000 items"));
        }
        let _writer = self.lock()?;
        let mut batch = Batch::default();
        let mut answer = FillResponse::default();
        let (mut rows, mut left_out) = (Vec::new(), RoaringBitmap::new());
        let (indexes, is_other) = {
            let state = self.state.read();
            let (set, than) = state.both(&request.fingerprint)?;
            let pending = state.pending(set, than);
            let apart: BTreeSet<_> = set.apart(than).map(|(space, _)| space).collect();
            for (at, mut sent) in request.items.into_iter().enumerate() {
                let pointer = format!("/items/{at}/vectors");
                let vectors = &mut sent.vectors;
                schema::check_vectors(&pointer, set.config, vectors)?;
                vectors.retain(|space, _| apart.contains(space.as_str()));
                if state.internal_ids.get(&sent.id) != Some(&sent.version)
                    || !(pending.contains(sent.version) || set.left_out.contains(sent.version))
                {
                    answer.stale += 1;
                    continue;
                }
                if vectors.is_empty() {
                    answer.left_out += 1;
                    left_out.insert(sent.version);
                    batch.put_vector(self.id, sent.version, &set.placement.left_out(), &[]);
                    continue;
                }
                answer.filled += 1;
                for (space, vector) in sent.vectors {
                    let name = set.placement.name(&space).to_owned();
                    batch.put_vector(self.id, sent.version, &name, &vector);
                    rows.push((name, sent.version, vector));
                }
            }
            let is_other = Some(&request.fingerprint) != state.config.fingerprint.as_ref();
            (state.indexes(), is_other)
        };
        let bytes =
            |(name, ..): &(String, _, _)| indexes.get(name).map(|i| i.unsealed_vector_bytes());
        self.admit(&batch, rows.iter().filter_map(bytes).sum())?;
        self.store.write(batch)?;
        for (name, index) in &indexes {
            let of_it = rows.iter().filter(|(n, ..)| n == name);
            let of_it: Vec<_> = of_it.map(|(_, n, v)| (*n, v.as_slice())).collect();
            if !of_it.is_empty() {
                index.insert(&of_it);
            }
        }
        let mut state = self.state.write();
        match &mut state.other {
            Some(other) if is_other => other.set.left_out |= left_out,
            _ => state.left_out |= left_out,
        }
        drop(state);
        self.report();
        Ok(answer)
    }

    /// Adds an empty inactive set next to the active one, whose fingerprint is `current`; `store`
    /// persists it.
    pub(crate) fn begin(
        &self,
        current: &str,
        stored: &StoredReembedding,
        store: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let _writer = self.lock()?;
        store()?;
        let mut state = self.state.write();
        // It may have had no fingerprint.
        Arc::make_mut(&mut state.config).fingerprint = Some(current.to_owned());
        let spaces = stored.config.vectors.iter().map(|(name, space)| {
            let kept = state.spaces.get(name);
            let kept = kept.filter(|_| stored.placement.name(name) == state.placement.name(name));
            let index = kept.cloned().unwrap_or_else(|| Arc::new(new_space(space)));
            (name.clone(), index)
        });
        let set = SpaceSet {
            config: Arc::new(stored.config.clone()),
            spaces: spaces.collect(),
            placement: stored.placement.clone(),
            left_out: RoaringBitmap::new(),
        };
        state.other = Some(InactiveSet {
            set,
            started: stored.started.clone(),
            is_switched: false,
            switched: None,
        });
        Ok(())
    }

    /// Exchanges the sets atomically; `store` persists it. Refused, unless forced, if searches
    /// would lose items.
    pub(crate) fn exchange(
        &self,
        at: &str,
        force: bool,
        store: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut writer = self.lock()?;
        let info = self.reembedding().ok_or(Error::NoReembedding)?;
        let (pending, left_out) = (info.other.pending, info.other.left_out);
        if !force && pending + left_out > 0 {
            return Err(Error::NotReembedded { pending, left_out });
        }
        store()?;
        writer.saved = None;
        let mut state = self.state.write();
        let state = &mut *state;
        if let Some(other) = &mut state.other {
            std::mem::swap(&mut state.config, &mut other.set.config);
            std::mem::swap(&mut state.spaces, &mut other.set.spaces);
            std::mem::swap(&mut state.placement, &mut other.set.placement);
            std::mem::swap(&mut state.left_out, &mut other.set.left_out);
            other.is_switched = !other.is_switched;
            other.switched = Some(at.to_owned());
        }
        self.canary.forget();
        Ok(())
    }

    /// Drops the inactive set. `store` persists it, with the stored names to be deleted afterwards.
    pub(crate) fn end(
        &self,
        store: impl FnOnce(Batch, BTreeSet<String>) -> Result<()>,
    ) -> Result<()> {
        let _writer = self.lock()?;
        let (names, files) = {
            let state = self.state.read();
            let set = state.other()?.set.view();
            let apart: Vec<_> = set.apart(state.view()).collect();
            let names = apart
                .iter()
                .map(|(space, _)| set.placement.name(space).to_owned());
            let marks = [set.placement.left_out(), state.placement.left_out()];
            let files: Vec<_> = apart.iter().flat_map(|(_, index)| index.files()).collect();
            (names.chain(marks).collect::<BTreeSet<_>>(), files)
        };
        {
            let mut list = self.segments.lock();
            let mut next = list.clone();
            next.files.retain(|name, _| !names.contains(name));
            let mut batch = Batch::default();
            batch.put_segments(self.id, &next)?;
            store(batch, names)?;
            *list = next;
        }
        let mut state = self.state.write();
        state.other = None;
        state.left_out.clear();
        drop(state);
        for file in files {
            crate::collection::lifecycle::maintain::remove(&self.store.segments().join(file));
        }
        self.report();
        Ok(())
    }

    /// Deletes stored vectors of live items by stored name. Deleted items have none.
    pub(crate) fn sweep(&self, names: &BTreeSet<String>) -> Result<()> {
        let live: Vec<u32> = self.state.read().live.iter().collect();
        for chunk in live.chunks(CHUNK_ITEMS) {
            let mut batch = Batch::default();
            for internal_id in chunk {
                for name in names {
                    batch.delete_vector(self.id, *internal_id, name);
                }
            }
            self.store.write(batch)?;
        }
        Ok(())
    }
}
