//! Several sources joined into one ranking, as it is served: the engine's blend (`vitrine::query::blend`), learned on an
//! inner split of what there is to learn from.

use rayon::prelude::*;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine::{
    cf::{
        ItemKnnOptions, PopularityOptions, Recommender, Request, Scored, SessionKnnOptions,
        Settings, split::Interaction,
    },
    query::blend::{BlendModel, Example, LearnOptions, Question, learn},
    schemas::Source,
};

use super::{
    Dataset, EvaluateError, Protocol,
    contender::Fitted,
    content::{Content, ContentOptions},
};

/// Questions that weights are learned from, at most.
const QUESTIONS: usize = 2000;

/// What is blended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlendOptions {
    /// What the same people touched.
    pub behavior: ItemKnnOptions,
    /// What was touched in visits like this one.
    pub session: SessionKnnOptions,
    /// What is near in content; left out where there are no vectors.
    pub content: ContentOptions,
    /// What is popular.
    pub popularity: PopularityOptions,
    /// Items that each source proposes.
    pub candidates: usize,
    /// Whether weights are learned; without, it is what is served until something was learned.
    pub learn: bool,
}

impl Default for BlendOptions {
    fn default() -> Self {
        Self {
            behavior: ItemKnnOptions::default(),
            session: SessionKnnOptions::default(),
            content: ContentOptions::default(),
            popularity: PopularityOptions::default(),
            candidates: 300,
            learn: true,
        }
    }
}

/// A fitted blend.
pub struct Blend {
    sources: Sources,
    model: BlendModel,
}

/// The sources of a blend, fitted.
pub struct Sources {
    list: Vec<(Source, Box<dyn Recommender>)>,
    /// Events with each item.
    events: Vec<f32>,
    candidates: usize,
}

impl Blend {
    /// Learns weights on an inner split by the rules of the outer one, then fits the sources to all there is.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn fit(
        options: &BlendOptions,
        data: &Dataset,
        train: &[Interaction],
        protocol: &Protocol,
    ) -> Result<Fitted, EvaluateError> {
        let learned = options
            .learn
            .then(|| Self::learned(options, data, train, protocol));
        let (model, note) = match learned.unwrap_or_else(|| Ok(unlearned())) {
            Ok(learned) => learned,
            // As it is served: what could not be learned is not used.
            Err(error) => (
                BlendModel::rrf(),
                format!("reciprocal rank fusion, as no weights were learned: {error}"),
            ),
        };
        let sources = Sources::fit(options, data, train, protocol)?;
        Ok(Fitted {
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
            max_users: Some(QUESTIONS),
            negatives: None,
            ..protocol.clone()
        };
        let trial = inner.prepare_from(data, train)?;
        let sources = Sources::fit(options, data, &trial.train, protocol)?;
        let examples: Vec<_> = trial
            .tasks
            .par_iter()
            .map(|task| Example {
                question: sources.question(&task.history, &task.excluded),
                chosen: task.relevant.clone(),
            })
            .collect();
        let (model, figures) = learn(&examples, &LearnOptions::default())?;
        let measured = format!(
            "ndcg@{} on {} inner held-out questions: {:.4}, rank fusion {:.4}",
            figures.depth, figures.questions, figures.learned, figures.rrf
        );
        if !figures.beats_others() {
            let note =
                format!("reciprocal rank fusion, as learned weights were no better ({measured})");
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

/// What is served until something was learned.
fn unlearned() -> (BlendModel, String) {
    (BlendModel::rrf(), "reciprocal rank fusion".to_owned())
}

impl Sources {
    /// Fits each to what there is to learn from.
    ///
    /// # Errors
    /// Settings out of range.
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
        let fit = |settings: Settings,
                   train: &[Interaction]|
         -> Result<Box<dyn Recommender>, EvaluateError> {
            Ok(Box::new(settings.fit(train, users, items)?))
        };
        let mut list = vec![
            (
                Source::Behavior,
                fit(Settings::ItemKnn(options.behavior), &merged)?,
            ),
            (
                Source::Session,
                fit(Settings::SessionKnn(options.session), train)?,
            ),
            (
                Source::Popularity,
                fit(Settings::Popularity(options.popularity), train)?,
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

    /// What the sources propose for a history, each scoring what the others found.
    pub fn question(&self, history: &[(u32, f32)], excluded: &RoaringBitmap) -> Question {
        let mut lists = Vec::new();
        let mut scores = Vec::new();
        for (source, model) in &self.list {
            let mut all = Vec::new();
            model.scores(history, &mut all);
            lists.push((*source, best(*source, &all, excluded, self.candidates)));
            scores.push((*source, all));
        }
        let mut question = Question::of(history.len() as f32, &lists);
        for (source, all) in scores {
            let score = |item: u32| all.get(item as usize).copied();
            question.complete(source, |item| score(item).filter(|s| says(source, *s)));
        }
        for candidate in &mut question.candidates {
            candidate.events = self.events[candidate.item as usize];
        }
        question
    }
}

/// Whether a score says anything of an item: behaviour counts what was done, so 0 is nothing.
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
        let question = self.sources.question(history, &RoaringBitmap::new());
        out.clear();
        out.resize(self.items(), 0.0);
        for ranked in self.model.rank(&question) {
            out[ranked.candidate.item as usize] = ranked.score;
        }
    }

    // Candidates are sought among what may be recommended, so that exclusions do not thin them out.
    fn recommend(&self, history: &[(u32, f32)], k: usize, excluded: &RoaringBitmap) -> Vec<Scored> {
        let question = self.sources.question(history, excluded);
        let ranked = self.model.rank(&question).into_iter().take(k);
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
