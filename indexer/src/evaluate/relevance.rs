//! Search quality by judgments: nDCG, reciprocal rank, recall and hits of several configurations
//! over the same queries.

use std::{
    collections::HashMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;
use vitrine::cf::metrics::Interval;

use crate::sink::{HttpSink, SinkError};

/// Number of hits requested; also the depth of recall.
pub const DEPTH: usize = 100;

/// Number of hits on the first page.
const PAGE: usize = 10;

/// Metrics of a query.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QueryFigures {
    /// nDCG@10 with the relevance itself as the gain (Jarvelin and Kekalainen 2002), as in TREC's
    /// evaluation; 1 is ideal.
    pub ndcg: f64,
    /// 1 / rank of the first relevant hit among 10, else 0.
    pub reciprocal_rank: f64,
    /// Share of the relevant items among 100 hits.
    pub recall: f64,
    /// 1 if the first hit is relevant, else 0.
    pub hit_at_1: f64,
    /// 1 if one of the first 10 hits is relevant, else 0.
    pub hit_at_10: f64,
}

impl QueryFigures {
    /// Computes the metrics of a ranking of ids.
    pub fn of(ranked: &[String], judged: &HashMap<String, f64>) -> Self {
        let gain = |id: &String| judged.get(id).copied().unwrap_or(0.0).max(0.0);
        let discounted = |gains: &mut dyn Iterator<Item = f64>| -> f64 {
            let at = |(rank, gain): (usize, f64)| gain / ((rank + 2) as f64).log2();
            gains.take(PAGE).enumerate().map(at).sum()
        };
        let mut ideal: Vec<f64> = judged.values().copied().collect();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let best = discounted(&mut ideal.iter().map(|g| g.max(0.0)));
        let found = discounted(&mut ranked.iter().map(gain));
        let relevant = judged.values().filter(|g| **g > 0.0).count();
        let first = ranked.iter().take(PAGE).position(|id| gain(id) > 0.0);
        let had = ranked
            .iter()
            .take(DEPTH)
            .filter(|id| gain(id) > 0.0)
            .count();
        Self {
            ndcg: if best > 0.0 { found / best } else { 0.0 },
            reciprocal_rank: first.map_or(0.0, |at| 1.0 / (at + 1) as f64),
            recall: had as f64 / relevant.max(1) as f64,
            hit_at_1: f64::from(first == Some(0)),
            hit_at_10: f64::from(first.is_some()),
        }
    }
}

/// Query with its judgments.
#[derive(Clone, Debug)]
pub struct JudgedQuery {
    /// Name in reports.
    pub name: String,
    /// Field `query` of the body.
    pub query: Value,
    /// Judged items with their relevance.
    pub judged: HashMap<String, f64>,
}

/// Search configuration, as fields of the body of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Configuration {
    /// Name.
    pub name: String,
    /// Fields of the body in addition to query and limit.
    pub body: Value,
}

/// Metrics of a configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The configuration.
    pub configuration: Configuration,
    /// Metrics by query, in the order of the judgments.
    pub queries: Vec<QueryFigures>,
    /// Time of each request as seen by the caller, in milliseconds, ascending.
    pub milliseconds: Vec<f64>,
}

/// Results of all configurations over the same queries.
#[derive(Clone, Debug, Serialize)]
pub struct RelevanceReport {
    /// Names of the queries.
    pub queries: Vec<String>,
    /// One outcome per configuration; the first is the baseline.
    pub outcomes: Vec<Outcome>,
    /// Bootstrap resamples of the intervals.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl RelevanceReport {
    /// Sends every query with every configuration to a server.
    ///
    /// # Errors
    /// The server cannot be reached, or rejects a request.
    pub fn run(
        server: &HttpSink,
        queries: &[JudgedQuery],
        configurations: &[Configuration],
        (resamples, seed): (usize, u64),
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, SinkError> {
        let mut outcomes = Vec::new();
        for configuration in configurations {
            let (mut figures, mut times) = (Vec::new(), Vec::<Duration>::new());
            for query in queries {
                let mut body = configuration.body.clone();
                body["query"] = query.query.clone();
                body["limit"] = DEPTH.into();
                let started = Instant::now();
                let hits = server.search(&body)?.hits;
                times.push(started.elapsed());
                let ranked: Vec<_> = hits.into_iter().map(|hit| hit.id).collect();
                figures.push(QueryFigures::of(&ranked, &query.judged));
                progress(1);
            }
            times.sort();
            outcomes.push(Outcome {
                configuration: configuration.clone(),
                queries: figures,
                milliseconds: times.iter().map(|t| t.as_secs_f64() * 1e3).collect(),
            });
        }
        let queries = queries.iter().map(|q| q.name.clone()).collect();
        Ok(Self {
            queries,
            outcomes,
            resamples,
            seed,
        })
    }

    /// Returns the gain in nDCG of the last configuration over the first, paired by query.
    pub fn gain(&self) -> Option<Interval> {
        let (first, last) = (self.outcomes.first()?, self.outcomes.last()?);
        let (a, b) = (last.ndcg(), first.ndcg());
        Some(Interval::of_difference(&a, &b, self.resamples, self.seed))
    }

    /// Returns the metrics as a table, then the differences to the first configuration, with the
    /// `max_shown` queries that changed most.
    pub fn text(&self, max_shown: usize) -> String {
        let mut text = format!(
            "{} queries; 95 % intervals from {} bootstrap resamples of the queries\n{:<16} {:>24} {:>8} {:>11} {:>7} {:>7} {:>8} {:>8}\n",
            self.queries.len(),
            self.resamples,
            "",
            "nDCG@10",
            "MRR@10",
            "Recall@100",
            "hit@1",
            "hit@10",
            "p50 ms",
            "p99 ms",
        );
        for outcome in &self.outcomes {
            let mean = |of: fn(&QueryFigures) -> f64| {
                outcome.queries.iter().map(of).sum::<f64>() / outcome.queries.len().max(1) as f64
            };
            let ndcg = Interval::bootstrap(&outcome.ndcg(), self.resamples, self.seed);
            let ndcg = format!("{:.4} ({:.4} to {:.4})", ndcg.mean, ndcg.low, ndcg.high);
            let _ = writeln!(
                text,
                "{:<16} {ndcg:>24} {:>8.4} {:>11.4} {:>7.4} {:>7.4} {:>8.2} {:>8.2}",
                outcome.configuration.name,
                mean(|q| q.reciprocal_rank),
                mean(|q| q.recall),
                mean(|q| q.hit_at_1),
                mean(|q| q.hit_at_10),
                outcome.time(0.5),
                outcome.time(0.99),
            );
        }
        for outcome in self.outcomes.iter().skip(1) {
            text += &self.difference(&self.outcomes[0], outcome, max_shown);
        }
        text
    }

    fn difference(&self, first: &Outcome, other: &Outcome, max_shown: usize) -> String {
        let (a, b) = (other.ndcg(), first.ndcg());
        let all = Interval::of_difference(&a, &b, self.resamples, self.seed);
        let count =
            |holds: fn(f64) -> bool| a.iter().zip(&b).filter(|(a, b)| holds(*a - *b)).count();
        let mut text = format!(
            "{} less {}: nDCG@10 {:+.4} ({:+.4} to {:+.4}); better for {} queries, worse for {}\n",
            other.configuration.name,
            first.configuration.name,
            all.mean,
            all.low,
            all.high,
            count(|d| d > 1e-9),
            count(|d| d < -1e-9),
        );
        let mut by_change: Vec<usize> = (0..a.len()).collect();
        by_change.sort_by(|x, y| (a[*x] - b[*x]).total_cmp(&(a[*y] - b[*y])));
        let worst = by_change.iter().take(max_shown);
        let best = by_change.iter().rev().take(max_shown);
        for at in worst
            .chain(best)
            .filter(|at| (a[**at] - b[**at]).abs() > 1e-9)
        {
            let _ = writeln!(text, "  {:+.3}  {}", a[*at] - b[*at], self.queries[*at]);
        }
        text
    }
}

impl Outcome {
    fn ndcg(&self) -> Vec<f64> {
        self.queries.iter().map(|q| q.ndcg).collect()
    }

    fn time(&self, quantile: f64) -> f64 {
        let last = self.milliseconds.len().saturating_sub(1);
        let at = (last as f64 * quantile).round() as usize;
        self.milliseconds.get(at).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_worked_out_by_hand() {
        let judged = HashMap::from([
            ("a".to_owned(), 3.0),
            ("b".to_owned(), 1.0),
            ("c".to_owned(), 0.0),
        ]);
        let ranked = ["c", "b", "a"].map(str::to_owned);
        let figures = QueryFigures::of(&ranked, &judged);
        let log = |x: f64| x.log2();
        let ndcg = (1.0 / log(3.0) + 3.0 / log(4.0)) / (3.0 / log(2.0) + 1.0 / log(3.0));
        assert!((figures.ndcg - ndcg).abs() < 1e-12);
        assert_eq!((figures.reciprocal_rank, figures.recall), (0.5, 1.0));
        assert_eq!((figures.hit_at_1, figures.hit_at_10), (0.0, 1.0));
        let nothing = QueryFigures::of(&[], &judged);
        assert_eq!((nothing.ndcg, nothing.recall), (0.0, 0.0));
    }
}
