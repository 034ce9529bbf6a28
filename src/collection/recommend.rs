//! Recommendations: what behaviour, content and popularity propose, joined by reciprocal rank fusion (Cormack, Clarke and
//! Büttcher 2009), each with its part of the score and the items it rests on.

use std::{collections::HashMap, time::Instant};

use roaring::RoaringBitmap;
use vitrine_schemas::{
    BoughtTogetherHit, BoughtTogetherParams, BoughtTogetherResponse, Contribution, FilterSpec,
    ModelInfo, Reason, RecommendHit, RecommendRequest, RecommendResponse, Source, SourceUse,
};

use super::{Collection, State, reader::check_limit};
use crate::{
    Error, Result,
    behaviour::{Model, Person, Touch},
    cf::{Recommender, Scored},
    index::Allowed,
};

/// Candidates that a source gives at least, and for each hit that is asked for.
const LEAST: usize = 100;
const PER_HIT: usize = 3;

/// Ranks count `1 / (RANK + rank)`: the constant of the paper.
const RANK: f32 = 60.0;

/// Items of a history at which behaviour counts half of what it can.
const EVIDENCE: f32 = 1.0;

/// Items of a history whose vectors are averaged, the latest.
const RECENT: usize = 20;

/// Items named in a reason.
const NAMED: usize = 3;

/// Items of a request's lists.
const MOST_GIVEN: usize = 1000;

/// What a question is answered from: item ids with weights, the oldest first.
struct History {
    items: Vec<(String, f32)>,
    /// In the numbers of the log; unknown ones are missing.
    numbers: Vec<(u32, f32)>,
    excluded: RoaringBitmap,
}

/// What one source proposes: numbers of live items, the best first.
struct Proposal {
    source: Source,
    weight: f32,
    items: Vec<u32>,
}

impl Collection {
    /// Learns from the events of now; questions are answered meanwhile. Without it the database does so in the background.
    pub fn train(&self) -> Result<ModelInfo> {
        Ok(self.behaviour.train()?.info())
    }

    /// Items for a shopper, a visit or some items; always min(limit, items that match and are not excluded).
    pub fn recommend(
        &self,
        request: &RecommendRequest,
        deadline: Option<Instant>,
    ) -> Result<RecommendResponse> {
        let started = Instant::now();
        check_limit(request.limit)?;
        check_lists(request)?;
        let state = self.state.read();
        let history = self.history(&state, request)?;
        let mut allowed = state.allowed(request.filter.as_ref())?.numbers() - &history.excluded;
        if request.exclude_out_of_stock {
            let gone = FilterSpec::Text("availability = out_of_stock".into());
            allowed -= state.matching(Some(&gone))?;
        }
        let count = LEAST.max(request.limit * PER_HIT);
        let model = self.behaviour.model();
        let mut proposals = Vec::new();
        if let Some(model) = &model {
            proposals.push(self.by_behaviour(&state, model, &history, &allowed, count));
        }
        proposals.push(by_content(
            &state, request, &history, &allowed, count, deadline,
        )?);
        if let Some(model) = &model {
            proposals.push(self.by_popularity(&state, model, &allowed, count));
        }
        proposals.push(newest(&proposals, &allowed, request.limit));
        proposals.retain(|p| !p.items.is_empty());
        let mut hits = Vec::new();
        for (number, contributions) in fused(&proposals, request.limit) {
            let Some(id) = state.ids.get(&number) else {
                continue;
            };
            let main = strongest(&contributions);
            hits.push(RecommendHit {
                id: id.clone(),
                score: contributions.iter().map(|c| c.score).sum(),
                reason: self.reason(&state, main, model.as_deref(), &history, id),
                contributions,
                item: self.load(&state, id, false)?,
            });
        }
        let sources = proposals.iter().map(|p| SourceUse {
            source: p.source,
            weight: p.weight,
            candidates: p.items.len() as u64,
        });
        Ok(RecommendResponse {
            hits,
            sources: sources.collect(),
            history: history.items.len() as u64,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// What was bought by the same person on the same day.
    pub fn bought_together(
        &self,
        id: &str,
        params: &BoughtTogetherParams,
    ) -> Result<BoughtTogetherResponse> {
        check_limit(params.limit)?;
        let state = self.state.read();
        if !state.numbers.contains_key(id) {
            return Err(Error::ItemNotFound(id.to_owned()));
        }
        let allowed = state.allowed(params.filter.clone().map(FilterSpec::Text).as_ref())?;
        let log = self.behaviour.log.read();
        let (Some(model), Some(number)) = (self.behaviour.model(), log.number(id)) else {
            return Ok(BoughtTogetherResponse { hits: Vec::new() });
        };
        let mut hits = Vec::new();
        for neighbor in model.baskets.neighbors(number) {
            let other = &log.names()[neighbor.item as usize];
            let live = state.numbers.get(other);
            if !live.is_some_and(|n| allowed.numbers().contains(*n)) {
                continue;
            }
            let baskets = u64::from(neighbor.users);
            hits.push(BoughtTogetherHit {
                id: other.clone(),
                score: neighbor.similarity,
                baskets,
                reason: Reason {
                    code: "bought_together".into(),
                    items: vec![id.to_owned()],
                    text: format!(
                        "Bought together with {}, {baskets} times",
                        self.title(&state, id)
                    ),
                },
                item: self.load(&state, other, false)?,
            });
            if hits.len() == params.limit {
                break;
            }
        }
        Ok(BoughtTogetherResponse { hits })
    }

    fn history(&self, state: &State, request: &RecommendRequest) -> Result<History> {
        let log = self.behaviour.log.read();
        let people = [
            request.user.as_deref().and_then(|u| log.user(u)),
            request.session.as_deref().and_then(|s| log.session(s)),
        ];
        let (mut weights, mut order) = (HashMap::new(), Vec::new());
        let mut count = |id: &str, weight: f32| {
            let known = weights.entry(id.to_owned()).or_insert_with(|| {
                order.push(id.to_owned());
                0.0
            });
            *known += weight;
        };
        let mut out: Vec<String> = request
            .exclude
            .iter()
            .chain(&request.negatives)
            .cloned()
            .collect();
        for person in people.into_iter().flatten() {
            for (item, weight) in person.history() {
                count(&log.names()[item as usize], weight);
            }
            out.extend(
                never_again(person, request.exclude_seen).map(|n| log.names()[n as usize].clone()),
            );
        }
        for given in &request.positives {
            count(&given.id, given.weight);
            out.push(given.id.clone());
        }
        for id in &request.negatives {
            count(id, -1.0);
        }
        let items: Vec<(String, f32)> = order
            .into_iter()
            .map(|id| {
                let weight = weights[&id];
                (id, weight)
            })
            .collect();
        let numbers = items
            .iter()
            .filter_map(|(id, w)| Some((log.number(id)?, *w)));
        Ok(History {
            numbers: numbers.collect(),
            items,
            excluded: out
                .iter()
                .filter_map(|id| state.numbers.get(id).copied())
                .collect(),
        })
    }

    fn by_behaviour(
        &self,
        state: &State,
        model: &Model,
        history: &History,
        allowed: &RoaringBitmap,
        count: usize,
    ) -> Proposal {
        let evidence = history.numbers.len() as f32;
        let found = if history.numbers.is_empty() {
            Vec::new()
        } else {
            self.best(state, &model.item_knn, &history.numbers, allowed, count)
        };
        Proposal {
            source: Source::Behavior,
            weight: evidence / (evidence + EVIDENCE),
            items: found,
        }
    }

    fn by_popularity(
        &self,
        state: &State,
        model: &Model,
        allowed: &RoaringBitmap,
        count: usize,
    ) -> Proposal {
        Proposal {
            source: Source::Popularity,
            // Breaks ties and fills; it would bury what is personal otherwise.
            weight: 0.1,
            items: self.best(state, &model.popularity, &[], allowed, count),
        }
    }

    /// What a model of the log ranks first of the allowed items, as far as it scores them above 0.
    fn best(
        &self,
        state: &State,
        model: &impl Recommender,
        history: &[(u32, f32)],
        allowed: &RoaringBitmap,
        count: usize,
    ) -> Vec<u32> {
        let mut scores = Vec::new();
        model.scores(history, &mut scores);
        let mut scored: Vec<_> = (0..)
            .zip(scores)
            .filter(|(_, score)| *score > 0.0)
            .map(|(item, score)| Scored { item, score })
            .collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
        let log = self.behaviour.log.read();
        let live = |s: Scored| state.numbers.get(&log.names()[s.item as usize]).copied();
        let found = scored.into_iter().filter_map(live);
        found.filter(|n| allowed.contains(*n)).take(count).collect()
    }

    fn reason(
        &self,
        state: &State,
        source: Source,
        model: Option<&Model>,
        history: &History,
        id: &str,
    ) -> Reason {
        let likes = |(_, weight): &&(String, f32)| *weight > 0.0;
        let items: Vec<String> = match source {
            Source::Behavior => {
                let log = self.behaviour.log.read();
                let parts = model.zip(log.number(id));
                let parts = parts.map(|(m, number)| m.item_knn.reasons(&history.numbers, number));
                let name = |s: Scored| log.names()[s.item as usize].clone();
                let parts = parts.into_iter().flatten().filter(|s| s.score > 0.0);
                parts.map(name).take(NAMED).collect()
            }
            Source::Content => {
                let latest = history.items.iter().rev().filter(likes);
                latest.map(|(id, _)| id.clone()).take(NAMED).collect()
            }
            Source::Popularity | Source::Newest => Vec::new(),
        };
        let titles: Vec<_> = items.iter().map(|id| self.title(state, id)).collect();
        let titles = titles.join(", ");
        let (code, text) = match source {
            Source::Behavior => (
                "also_liked",
                format!("People who chose {titles} chose this too"),
            ),
            Source::Content => ("similar", format!("Similar to {titles}")),
            Source::Popularity => ("popular", "Popular now".to_owned()),
            Source::Newest => ("new", "New in the catalog".to_owned()),
        };
        Reason {
            code: code.into(),
            items,
            text,
        }
    }

    /// What people know the item as.
    fn title(&self, state: &State, id: &str) -> String {
        let item = self.load(state, id, false).ok();
        item.and_then(|i| i.title).unwrap_or_else(|| id.to_owned())
    }
}

fn check_lists(request: &RecommendRequest) -> Result<()> {
    let lists = [
        ("/positives", request.positives.len()),
        ("/negatives", request.negatives.len()),
    ];
    for (at, len) in lists {
        if len > MOST_GIVEN {
            return Err(Error::invalid(
                at,
                format!("has {len} items, at most {MOST_GIVEN}"),
            ));
        }
    }
    let wrong = |w: f32| !(w.is_finite() && w > 0.0 && w <= 1e6);
    match request.positives.iter().position(|p| wrong(p.weight)) {
        Some(i) => Err(Error::invalid(
            format!("/positives/{i}/weight"),
            "must be above 0 and at most 1000000; name what speaks against in `negatives`",
        )),
        None => Ok(()),
    }
}

/// What a person rejected and, where `seen` does not come again, touched.
fn never_again(person: &Person, seen: bool) -> impl Iterator<Item = u32> + '_ {
    let touched = person
        .touches
        .iter()
        .filter(move |t: &&Touch| seen || t.bought);
    touched.map(|t| t.item).chain(&person.rejected)
}

/// What is near to the mean of the latest items of the history.
fn by_content(
    state: &State,
    request: &RecommendRequest,
    history: &History,
    allowed: &RoaringBitmap,
    count: usize,
    deadline: Option<Instant>,
) -> Result<Proposal> {
    let mut proposal = Proposal {
        source: Source::Content,
        weight: 0.5,
        items: Vec::new(),
    };
    let only = || {
        state
            .spaces
            .keys()
            .next()
            .filter(|_| state.spaces.len() == 1)
    };
    let space = match (&request.space, only()) {
        (Some(space), _) => space.as_str(),
        (None, Some(only)) => only.as_str(),
        (None, None) if state.spaces.contains_key("shared") => "shared",
        _ => return Ok(proposal),
    };
    let index = state.space(space)?;
    let mut mean: Vec<f32> = Vec::new();
    for (id, weight) in history.items.iter().rev().take(RECENT) {
        let vector = state.numbers.get(id).and_then(|n| index.vector(*n));
        let Some(vector) = vector else { continue };
        mean.resize(vector.len(), 0.0);
        // Ten views of one item do not make it ten items.
        let weight = weight.signum() * weight.abs().ln_1p();
        mean.iter_mut()
            .zip(&vector)
            .for_each(|(m, x)| *m += weight * x);
    }
    let length = mean.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length < f32::EPSILON || !length.is_finite() {
        return Ok(proposal);
    }
    mean.iter_mut().for_each(|x| *x /= length);
    let allowed = Allowed::from(allowed.clone());
    let (found, _) = index.search(&mean, count, None, false, &allowed, deadline)?;
    proposal.items = found.into_iter().map(|n| n.id).collect();
    Ok(proposal)
}

/// The newest items that no other source gave, where those are too few.
fn newest(proposals: &[Proposal], allowed: &RoaringBitmap, limit: usize) -> Proposal {
    let given: RoaringBitmap = proposals.iter().flat_map(|p| &p.items).collect();
    let missing = limit.saturating_sub(given.len() as usize);
    let rest = allowed.iter().rev().filter(|n| !given.contains(*n));
    Proposal {
        source: Source::Newest,
        weight: 0.01,
        items: rest.take(missing).collect(),
    }
}

/// The best by the sum of `weight / (RANK + rank)`.
fn fused(proposals: &[Proposal], limit: usize) -> Vec<(u32, Vec<Contribution>)> {
    let mut parts: HashMap<u32, Vec<Contribution>> = HashMap::new();
    for proposal in proposals {
        for (number, rank) in proposal.items.iter().zip(1_u64..) {
            parts.entry(*number).or_default().push(Contribution {
                source: proposal.source,
                rank,
                score: proposal.weight / (RANK + rank as f32),
            });
        }
    }
    let total = |parts: &[Contribution]| parts.iter().map(|c| c.score).sum::<f32>();
    let mut fused: Vec<_> = parts.into_iter().collect();
    fused.sort_by(|a, b| total(&b.1).total_cmp(&total(&a.1)).then(a.0.cmp(&b.0)));
    fused.truncate(limit);
    fused
}

fn strongest(contributions: &[Contribution]) -> Source {
    let best = contributions
        .iter()
        .max_by(|a, b| a.score.total_cmp(&b.score));
    best.map_or(Source::Newest, |c| c.source)
}
