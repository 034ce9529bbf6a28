//! Learning how sources are joined from the events of the collection: models of the earlier part answer for the people
//! of the later part, whose choices are known.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::RwLock;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use vitrine_schemas::{BlendInfo, recommend::Strategy};

use super::{
    super::Collection,
    LEAST,
    history::{Given, History},
    sources::{Ask, Sources},
};
use crate::{
    Error, Result,
    behaviour::{Log, Model},
    events::Who,
    index::Allowed,
    query::blend::{BlendModel, Example, LearnOptions, learn},
    storage::Batch,
};

/// Share of the events that are held out: the latest.
const HELD_OUT: f64 = 0.2;

/// People asked about; of more, those whose hash comes first.
const PEOPLE: usize = 3_000;

/// What is known of the events when they are cut in two.
struct Parts {
    first: i64,
    cut: i64,
    last: i64,
    earlier: RwLock<Log>,
    /// Items that people chose from the cut on.
    later: BTreeMap<Who, Vec<String>>,
}

impl Collection {
    /// Learns how the sources are joined: models are fitted to the earlier events, the blend to what people chose later.
    /// It answers from then on only where it beats rank fusion and every source alone on people it was not learned from.
    ///
    /// # Errors
    /// Too few events.
    pub fn train_blend(&self) -> Result<BlendInfo> {
        let parts = self.cut_events()?;
        let model = self.behaviour.fit_alike(&parts.earlier)?;
        let examples = self.examples(&parts, &model)?;
        let (mut blend, figures) = learn(&examples, &LearnOptions::default())?;
        let weights = blend
            .parts
            .iter()
            .map(|(source, part)| (*source, part.weight));
        let info = BlendInfo {
            version: blake3::hash(&blend.encode()?).to_hex()[..16].to_owned(),
            trained_at: chrono::Utc::now().to_rfc3339(),
            first_event: rfc3339(parts.first),
            held_out_from: rfc3339(parts.cut),
            last_event: rfc3339(parts.last),
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
        // A collection that was dropped meanwhile must not come back to the store.
        let _writer = self.lock()?;
        let mut batch = Batch::default();
        batch.put_blend(self.id, blend.encode()?);
        self.store.write(batch)?;
        *self.blend.write() = Some(Arc::new(blend));
        Ok(())
    }

    fn cut_events(&self) -> Result<Parts> {
        let mut times = Vec::new();
        self.store.scan_events(self.id, |at, event| {
            times.extend(event.items.iter().map(|_| at.micros));
            Ok(true)
        })?;
        times.sort_unstable();
        let held_out = (times.len() as f64 * (1.0 - HELD_OUT)) as usize;
        let (Some(first), Some(cut), Some(last)) =
            (times.first(), times.get(held_out), times.last())
        else {
            return Err(Error::invalid("/events", "there are none to learn from"));
        };
        let mut earlier = Log::new(Vec::new(), &self.config().behavior);
        let mut later = BTreeMap::<_, Vec<String>>::new();
        self.store.scan_events(self.id, |at, event| {
            if at.micros < *cut {
                earlier.add(&event, at.micros);
                return Ok(true);
            }
            let user = event.user.clone().map(Who::User);
            let who = user.or_else(|| event.session.clone().map(Who::Session));
            if let Some(who) = who.filter(|_| earlier.weight(&event).is_some()) {
                later.entry(who).or_default().extend(event.items);
            }
            Ok(true)
        })?;
        Ok(Parts {
            first: *first,
            cut: *cut,
            last: *last,
            earlier: RwLock::new(earlier),
            later,
        })
    }

    /// A question for each person of the later part, answered by what was known before.
    fn examples(&self, parts: &Parts, model: &Model) -> Result<Vec<Example>> {
        let mut people: Vec<_> = parts.later.iter().collect();
        people
            .sort_by_cached_key(|(who, _)| *blake3::hash(format!("{who:?}").as_bytes()).as_bytes());
        people.truncate(PEOPLE);
        let earlier = parts.earlier.read();
        let log: &Log = &earlier;
        let blend = BlendModel::rrf();
        let example =
            |(who, chosen): &(&Who, &Vec<String>)| self.example(who, chosen, log, model, &blend);
        let examples: Result<Vec<_>> = people.par_iter().map(example).collect();
        Ok(examples?.into_iter().flatten().collect())
    }

    /// None where nothing new was chosen.
    fn example(
        &self,
        who: &Who,
        chosen: &[String],
        log: &Log,
        model: &Model,
        blend: &BlendModel,
    ) -> Result<Option<Example>> {
        let person = match who {
            Who::User(name) => log.user(name),
            Who::Session(name) => log.session(name),
        };
        let given = |(item, weight)| Given {
            id: log.name(item).to_owned(),
            weight,
        };
        let items = person.map(|p| p.history().into_iter().map(given).collect());
        let history = History::from_items(items.unwrap_or_default(), log);
        // One person at a time, so that writes do not wait for all.
        let state = self.state.read();
        let live = |id: &String| state.numbers.get(id).copied();
        let seen: RoaringBitmap = history.items.iter().filter_map(|g| live(&g.id)).collect();
        let chosen: Vec<u32> = chosen
            .iter()
            .filter_map(live)
            .filter(|n| !seen.contains(*n))
            .collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let allowed = Allowed::from(state.allowed(None)?.numbers() - seen);
        let sources = Sources {
            state: &state,
            log,
            model: Some(model),
        };
        let found = sources.ask(&Ask {
            history: &history,
            allowed: &allowed,
            count: LEAST,
            blend,
            space: None,
            strategy: Strategy::default(),
            deadline: None,
        })?;
        Ok(Some(Example {
            question: found.question,
            chosen,
        }))
    }
}

fn rfc3339(micros: i64) -> String {
    let time = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(micros);
    time.map_or_else(String::new, |t| t.to_rfc3339())
}
