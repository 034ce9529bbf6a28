//! Learning a blend from the events of the collection: models of the earlier events make candidates
//! for the users and sessions of the later events, whose chosen items are known.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use vitrine_schemas::{BlendInfo, recommend::Strategy};

use crate::{
    Error, Result,
    behavior::{Log, Model, Purposes, Sequences},
    cf::SequenceModel,
    collection::{
        Collection,
        ranking::pool_size::PoolSize,
        recommend::sources::{SourceRequest, Sources},
        shopper::{
            cold_items::ColdItems,
            history::{History, HistoryItem},
        },
    },
    events::Subject,
    index::CandidateFilter,
    query::blend::{BlendModel, Example, LearnOptions, learn},
    storage::Batch,
};

/// Share of the events that are held out, the latest ones.
const HELD_OUT_SHARE: f64 = 0.2;

/// Maximum number of examples; of more subjects, those with the smallest hashes are used.
const MAX_EXAMPLES: usize = 3_000;

/// Events, split by time into training and held-out events.
struct EventSplit {
    /// Times of the first event, of the first held-out event and of the last event, microseconds
    /// since 1970.
    first: i64,
    cut: i64,
    last: i64,
    earlier: RwLock<Log>,
    /// Ids of the items in the held-out events of each user or session.
    later: BTreeMap<Subject, Vec<String>>,
}

/// Training events with what was learned from them.
struct Earlier<'a> {
    log: &'a Log,
    model: &'a Model,
    cold_items: &'a ColdItems,
}

impl Collection {
    /// Learns the blend as [`Collection::train_blend_with`], without a network.
    ///
    /// # Errors
    /// There are too few events.
    pub fn train_blend(&self) -> Result<BlendInfo> {
        self.train_blend_with(&|_| Ok(None))
    }

    /// Learns the blend of the sources: models are fitted to the earlier events, the blend to the
    /// items that were chosen later. The blend is promoted only if it beats rank fusion and every
    /// source alone on held-out users and sessions.
    ///
    /// If a network is active, `train_network` trains one on the earlier sequences, so that its
    /// weight can be learned; with None the learned blend leaves the network out.
    ///
    /// # Errors
    /// There are too few events, or the training of the network fails.
    pub fn train_blend_with(
        &self,
        train_network: &dyn Fn(&Sequences) -> Result<Option<SequenceModel>>,
    ) -> Result<BlendInfo> {
        self.behavior.refuse_if_private(
            "weights learned from events would be one more release; the default blend is used",
        )?;
        let split = self.split_events()?;
        let categories = |ids: &[String]| self.categories_of(ids);
        let behavior = &self.behavior;
        let mut model = behavior.fit_with_active_settings(&split.earlier, &categories)?;
        if self.behavior.model().is_some_and(|m| m.network().is_some()) {
            let network = train_network(&Sequences::of(&split.earlier))?;
            model = model.with_network(network.map(Arc::new));
        }
        let examples = self.examples(&split, &model)?;
        let (mut blend, figures) = learn(&examples, &LearnOptions::default())?;
        let weights = blend
            .parts
            .iter()
            .map(|(source, part)| (*source, part.weight));
        let info = BlendInfo {
            version: blake3::hash(&blend.encode()?).to_hex()[..16].to_owned(),
            trained_at: chrono::Utc::now().to_rfc3339(),
            first_event: rfc3339(split.first),
            held_out_from: rfc3339(split.cut),
            last_event: rfc3339(split.last),
            weights: weights.collect(),
            user_evidence: blend.user_evidence,
            item_evidence: blend.item_evidence,
            promoted: figures.beats_others(),
            figures,
        };
        if info.promoted {
            blend.info = Some(info.clone());
            self.use_blend(blend)?;
        }
        Ok(info)
    }

    fn use_blend(&self, blend: BlendModel) -> Result<()> {
        // A collection that was dropped meanwhile must not be written to the store again.
        let _writer = self.lock()?;
        let mut batch = Batch::default();
        batch.put_blend(self.id, blend.encode()?);
        self.store.write(batch)?;
        *self.blend.write() = Some(Arc::new(blend));
        Ok(())
    }

    fn split_events(&self) -> Result<EventSplit> {
        let mut times = Vec::new();
        self.for_each_event(|at, event| times.extend(event.items.iter().map(|_| at)))?;
        times.sort_unstable();
        let held_out = (times.len() as f64 * (1.0 - HELD_OUT_SHARE)) as usize;
        let (Some(first), Some(cut), Some(last)) =
            (times.first(), times.get(held_out), times.last())
        else {
            return Err(Error::invalid(
                "/events",
                "expected events to learn from, got none",
            ));
        };
        let consents = self.behavior.consents();
        let mut earlier = Log::new(Vec::new(), &self.config().behavior, consents);
        let mut later = BTreeMap::<_, Vec<String>>::new();
        self.for_each_event(|at, event| {
            if at < *cut {
                earlier.add(&event, at);
                return;
            }
            let user = event.user.clone().map(Subject::User);
            let subject = user.or_else(|| event.session.clone().map(Subject::Session));
            if let Some(subject) = subject.filter(|_| earlier.weight(&event).is_some()) {
                later.entry(subject).or_default().extend(event.items);
            }
        })?;
        Ok(EventSplit {
            first: *first,
            cut: *cut,
            last: *last,
            earlier: RwLock::new(earlier),
            later,
        })
    }

    /// Returns an example for each user or session of the held-out events, with candidates by the
    /// earlier events.
    fn examples(&self, split: &EventSplit, model: &Model) -> Result<Vec<Example>> {
        let hash = |subject: &Subject| *blake3::hash(format!("{subject:?}").as_bytes()).as_bytes();
        let mut subjects: Vec<_> = split.later.iter().collect();
        subjects.sort_by_cached_key(|(subject, _)| hash(subject));
        subjects.truncate(MAX_EXAMPLES);
        let cold_items = self.mapped_cold_items(&split.earlier, model)?;
        let earlier = split.earlier.read();
        let earlier = Earlier {
            log: &earlier,
            model,
            cold_items: &cold_items,
        };
        let blend = BlendModel::rrf();
        let example = |(subject, chosen): &(&Subject, &Vec<String>)| {
            self.example(subject, chosen, &earlier, &blend)
        };
        let examples: Result<Vec<_>> = subjects.par_iter().map(example).collect();
        Ok(examples?.into_iter().flatten().collect())
    }

    /// Returns the example of a user or session; None if no new item was chosen.
    fn example(
        &self,
        subject: &Subject,
        chosen: &[String],
        earlier: &Earlier<'_>,
        blend: &BlendModel,
    ) -> Result<Option<Example>> {
        let log = earlier.log;
        let activity = match subject {
            Subject::User(name) => log.user(name, Purposes::TRAINING),
            Subject::Session(name) => log.session(name, Purposes::TRAINING),
        };
        let history_item = |(item, weight)| HistoryItem {
            id: log.name(item).to_owned(),
            weight,
        };
        let items = activity.map(|a| a.history().into_iter().map(history_item).collect());
        let history = History::of_items(items.unwrap_or_default(), log);
        // Locks the state for one example at a time, so that writes do not wait for all.
        let state = self.state.read();
        let live = |id: &String| state.internal_ids.get(id).copied();
        let seen: RoaringBitmap = history.items.iter().filter_map(|g| live(&g.id)).collect();
        let chosen: Vec<u32> = chosen
            .iter()
            .filter_map(live)
            .filter(|n| !seen.contains(*n))
            .collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let eligible = CandidateFilter::from(state.visible_matches(None)?.internal_ids() - seen);
        let sources = Sources {
            ids: state.item_ids(log),
            model: Some(earlier.model),
            cold_items: Some(earlier.cold_items),
        };
        let request = SourceRequest {
            history: &history,
            eligible: &eligible,
            blend,
            space: None,
            strategy: Strategy::default(),
            following: None,
            deadline: None,
        };
        let scores = sources.score(&request)?;
        let gathered = sources.gather(&request, &scores, PoolSize::RECOMMENDATION.min)?;
        Ok(Some(Example {
            candidate_set: gathered.candidates,
            chosen,
        }))
    }
}

fn rfc3339(micros: i64) -> String {
    let time = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(micros);
    time.map_or_else(String::new, |t| t.to_rfc3339())
}
