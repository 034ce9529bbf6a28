//! Blend of several sources into one ranking, as served: the engine's blend
//! (`vitrine::query::blend`), learned on an inner split of the training data.

use rayon::prelude::*;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine::{
    cf::{
        ContentMapOptions, ItemKnnOptions, ModelSettings, PopularityOptions, Recommender, Request,
        Scored, SequentialRulesOptions, SessionKnnOptions, split::Interaction,
    },
    query::blend::{BlendModel, CandidateSet, Example, LearnOptions, learn},
    schemas::Source,
};

use super::{
    Dataset, EvaluateError, Protocol,
    content::{Content, ContentOptions},
    fitted::FittedModel,
    mapped::{Mapped, MappedOptions},
};

/// Maximum number of queries that weights are learned from.
const MAX_QUERIES: usize = 2000;

/// Sources of the blend and their settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlendOptions {
    /// Item neighbors: items that the same users chose.
    pub behavior: ItemKnnOptions,
    /// Items of similar sessions.
    pub session: SessionKnnOptions,
    /// Items chosen soon after others.
    pub sequence: SequentialRulesOptions,
    /// Items with similar content; unused without vectors.
    pub content: ContentOptions,
    /// Popular items.
    pub popularity: PopularityOptions,
    /// Map of items with few events, whose behavior is estimated; unused without vectors.
    pub map: ContentMapOptions,
    /// True if that map is used.
    pub mapped: bool,
    /// Number of candidates per source.
    pub candidates: usize,
    /// True if weights are learned; otherwise the blend is the one served before any learning.
    pub learn: bool,
}

impl Default for BlendOptions {
    fn default() -> Self {
        Self {
            behavior: ItemKnnOptions::default(),
            session: SessionKnnOptions::default(),
            sequence: SequentialRulesOptions::default(),
            content: ContentOptions::default(),
            popularity: PopularityOptions::default(),
            map: ContentMapOptions::default(),
            mapped: true,
            candidates: 300,
            learn: true,
        }
    }
}

/// Fitted blend.
pub struct Blend {
    sources: Sources,
    model: BlendModel,
}

/// Fitted sources of a blend.
pub struct Sources {
    list: Vec<(Source, Box<dyn Recommender>)>,
    /// Number of events of each item, and of similar items where behavior is estimated by them.
    events: Vec<f32>,
    candidates: usize,
}

impl Blend {
    /// Learns weights on an inner split by the rules of the outer one, then fits the sources to all
    /// training data.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(
        options: &BlendOptions,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<FittedModel, EvaluateError> {
        let learned = options
            .learn
            .then(|| Self::learned(options, data, train, protocol));
        let (model, note) = match learned.unwrap_or_else(|| Ok(unlearned())) {
            Ok(learned) => learned,
            // As in the engine: a blend that could not be learned is not used.
            Err(error) => (
                BlendModel::rrf(),
                format!("reciprocal rank fusion, because no weights were learned: {error}"),
            ),
        };
        let sources = Sources::fit(options, data, train, protocol)?;
        Ok(FittedModel {
            model: Box::new(Self { sources, model }),
            note: Some(note),
        })
    }

    fn learned(
        options: &BlendOptions,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<(BlendModel, String), EvaluateError> {
        let inner = Protocol {
            max_users: Some(MAX_QUERIES),
            negatives: None,
            cold_items: None,
            max_history: None,
            ..protocol.clone()
        };
        let trial = inner.prepare_from(data, train)?;
        let sources = Sources::fit(options, data, &trial.train, protocol)?;
        let examples: Vec<_> = trial
            .tasks
            .par_iter()
            .map(|task| Example {
                candidate_set: sources.candidate_set(&task.history, &task.excluded),
                chosen: task.relevant.clone(),
            })
            .collect();
        let (model, figures) = learn(&examples, &LearnOptions::default())?;
        let measured = format!(
            "ndcg@{} on {} inner held-out queries: {:.4}, rank fusion {:.4}",
            figures.depth, figures.questions, figures.learned, figures.rrf
        );
        if !figures.beats_others() {
            let note = format!(
                "reciprocal rank fusion, because learned weights were not better ({measured})"
            );
            return Ok((BlendModel::rrf(), note));
        }
        let weights = model.parts.iter().map(|(source, part)| {
            let name = format!("{source:?}").to_lowercase();
            format!("{name} {:.3}", part.weight)
        });
        let weights = weights.collect::<Vec<_>>().join(", ");
        Ok((model, format!("learned weights {weights} ({measured})")))
    }
}

/// Returns the blend that is served before any learning.
fn unlearned() -> (BlendModel, String) {
    (BlendModel::rrf(), "reciprocal rank fusion".to_owned())
}

impl Sources {
    /// Fits each source to the training data.
    ///
    /// # Errors
    /// Options out of range.
    pub fn fit(
        options: &BlendOptions,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<Self, EvaluateError> {
        let (users, items) = (data.users(), data.items());
        let mut events = vec![0.0; items];
        train.iter().for_each(|i| events[i.item as usize] += 1.0);
        let merged = protocol.weights.merged(train);
        let fit = |settings: ModelSettings,
                   train: &[Interaction]|
         -> Result<Box<dyn Recommender>, EvaluateError> {
            Ok(Box::new(settings.fit(train, users, items)?))
        };
        let behavior: Box<dyn Recommender> = if options.mapped && !data.vectors.is_empty() {
            let options = MappedOptions {
                behavior: options.behavior,
                map: options.map,
            };
            let mapped = Mapped::fit(&options, data, train, protocol)?;
            mapped.add_evidence(&mut events);
            Box::new(mapped)
        } else {
            fit(ModelSettings::ItemKnn(options.behavior), &merged)?
        };
        let mut list = vec![
            (Source::Behavior, behavior),
            (
                Source::Session,
                fit(ModelSettings::SessionKnn(options.session), train)?,
            ),
            (
                Source::Sequence,
                fit(ModelSettings::SequentialRules(options.sequence), train)?,
            ),
            (
                Source::Popularity,
                fit(ModelSettings::Popularity(options.popularity), train)?,
            ),
        ];
        if !data.vectors.is_empty() {
            let content = Content::new(data.vectors.clone(), items, options.content);
            list.push((Source::Content, Box::new(content)));
        }
        Ok(Self {
            list,
            events,
            candidates: options.candidates,
        })
    }

    /// Returns the candidates of all sources for a history, each scored by every source.
    pub fn candidate_set(&self, history: &[(u32, f32)], excluded: &RoaringBitmap) -> CandidateSet {
        let mut lists = Vec::new();
        let mut scores = Vec::new();
        // As served: without a history, nothing is near to it.
        let is_used = |source: Source| source != Source::Content || !history.is_empty();
        for (source, model) in self.list.iter().filter(|(source, _)| is_used(*source)) {
            let mut all = Vec::new();
            model.scores(history, &mut all);
            lists.push((*source, best(*source, &all, excluded, self.candidates)));
            scores.push((*source, all));
        }
        let mut candidate_set = CandidateSet::of(history.len() as f32, &lists);
        for (source, all) in scores {
            let score = |item: u32| all.get(item as usize).copied();
            candidate_set.score_missing(source, |item| score(item).filter(|s| says(source, *s)));
        }
        for candidate in &mut candidate_set.candidates {
            candidate.events = self.events[candidate.item as usize];
        }
        candidate_set
    }
}

/// Returns true if a score carries information: behavior counts events, so 0 carries none.
fn says(source: Source, score: f32) -> bool {
    match source {
        Source::Content => score > f32::MIN,
        _ => score > 0.0,
    }
}

fn best(source: Source, scores: &[f32], excluded: &RoaringBitmap, count: usize) -> Vec<Scored> {
    let all = (0..).zip(scores.iter().copied());
    let mut known: Vec<_> = all
        .map(|(item, score)| Scored { item, score })
        .filter(|s| says(source, s.score) && !excluded.contains(s.item))
        .collect();
    let order = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item));
    if known.len() > count {
        known.select_nth_unstable_by(count, order);
        known.truncate(count);
    }
    known.sort_unstable_by(order);
    known
}

impl Recommender for Blend {
    fn items(&self) -> usize {
        self.sources.events.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        let candidate_set = self.sources.candidate_set(history, &RoaringBitmap::new());
        out.clear();
        out.resize(self.items(), 0.0);
        for ranked in self.model.rank(&candidate_set) {
            out[ranked.candidate.item as usize] = ranked.score;
        }
    }

    // Candidates are searched among items that may be recommended, so that exclusions do not thin
    // them out.
    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let candidate_set = self.sources.candidate_set(history, excluded);
        let ranked = self.model.rank(&candidate_set).into_iter().take(k);
        let scored = ranked.map(|r| Scored {
            item: r.candidate.item,
            score: r.score,
        });
        scored.collect()
    }

    fn recommend_many(&self, requests: &[Request<'_>], k: usize) -> Vec<Vec<Scored>> {
        let answers = requests.par_iter();
        answers
            .map(|request| self.recommend(request.history, k, request.excluded))
            .collect()
    }
}
