//! Comparison of methods.

use std::time::Instant;

use vitrine::{
    Collection,
    cf::metrics::Interval,
    schemas::{Scope, SearchResponse, SimilarParams, Source},
};

use crate::Outcome;

/// Draws of the bootstrap.
const RESAMPLES: usize = 1_000;

/// Number of hits that weights are tried on.
const WEIGHT_HITS: usize = 200;

/// Metrics of methods by query; the first method is compared with each other one.
pub struct Comparison {
    figures: &'static [&'static str],
    lines: Vec<(String, Vec<Vec<f64>>)>,
}

impl Comparison {
    pub fn new(figures: &'static [&'static str]) -> Self {
        Self {
            figures,
            lines: Vec::new(),
        }
    }

    /// Adds a method; `evaluate` returns the metrics of a query.
    pub fn add<T>(
        &mut self,
        name: &str,
        queries: &[T],
        mut evaluate: impl FnMut(&T) -> Outcome<Vec<f64>>,
    ) -> Outcome<()> {
        let started = Instant::now();
        let mut columns = vec![Vec::with_capacity(queries.len()); self.figures.len()];
        for query in queries {
            for (column, figure) in columns.iter_mut().zip(evaluate(query)?) {
                column.push(figure);
            }
        }
        let each = started.elapsed().as_secs_f64() * 1e3 / queries.len().max(1) as f64;
        eprintln!("{name}: {each:.2} ms per query");
        self.lines.push((name.to_owned(), columns));
        Ok(())
    }

    pub fn print(&self) {
        let heads = self.figures.iter().map(|f| format!("{f:<27}"));
        println!("{} mean [95 % interval]", heads.collect::<String>());
        for (name, columns) in &self.lines {
            let means = columns
                .iter()
                .map(|c| interval(Interval::bootstrap(c, RESAMPLES, 1)));
            println!("{}  {name}", means.collect::<Vec<_>>().join("  "));
        }
        let Some(((_, ours), others)) = self.lines.split_first() else {
            return;
        };
        for (name, columns) in others {
            let pairs = ours.iter().zip(columns);
            let paired = pairs.map(|(a, b)| interval(Interval::of_difference(a, b, RESAMPLES, 1)));
            let paired = paired.collect::<Vec<_>>().join("  ");
            println!("{paired}    ours less {name}");
        }
    }
}

fn interval(interval: Interval) -> String {
    let Interval { mean, low, high } = interval;
    format!("{mean:+.4} [{low:+.4} {high:+.4}]")
}

/// Returns the ids of similar items.
pub fn similar(shop: &Collection, id: &str, params: &SimilarParams) -> Outcome<Vec<String>> {
    Ok(ids(shop.similar(id, params, None)?))
}

fn ids(response: SearchResponse) -> Vec<String> {
    response.hits.into_iter().map(|hit| hit.id).collect()
}

/// Returns parameters for similar items of other categories.
pub fn across(space: &str, limit: usize) -> SimilarParams {
    SimilarParams {
        rules: true,
        scope: Scope::Cross,
        ..anywhere(space, limit)
    }
}

/// Returns parameters for similar items of any category.
pub fn anywhere(space: &str, limit: usize) -> SimilarParams {
    SimilarParams {
        rules: true,
        scope: Scope::Any,
        categories: Vec::new(),
        space: space.to_owned(),
        limit,
        filter: None,
        exclude_out_of_stock: false,
        explain: false,
        mmr: None,
        max_per_category: None,
        max_per_brand: None,
        group_by: None,
    }
}

/// Returns a filter that excludes a category.
pub fn without(category: &str) -> Option<String> {
    Some(format!(
        "NOT category = \"{}\"",
        category.replace('"', "\\\"")
    ))
}

/// Prints the first metric for other weights of the sources: scores are sums of contributions, so
/// that hits can be re-ranked.
pub fn weights<T>(
    shop: &Collection,
    space: &str,
    queries: &[T],
    id: impl Fn(&T) -> &str,
    metric: impl Fn(&T, &[String]) -> f64,
) -> Outcome<()> {
    let params = across(space, WEIGHT_HITS);
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        answers.push(shop.similar(id(query), &params, None)?.hits);
    }
    println!("factors of behavior, popularity and transition");
    for behavior in [0.0, 0.3, 0.6, 1.0, 2.0, 4.0] {
        for popularity in [0.0, 0.3, 0.6, 1.0, 2.0, 4.0] {
            for transition in [0.0, 0.5, 1.0, 2.0, 4.0] {
                let factor = |source: Source| match source {
                    Source::Behavior => behavior,
                    Source::Popularity => popularity,
                    Source::Transition => transition,
                    _ => 1.0,
                };
                let mut sum = 0.0;
                for (query, hits) in queries.iter().zip(&answers) {
                    let mut ranked: Vec<(f32, &str)> = hits
                        .iter()
                        .map(|hit| {
                            let contributions = hit.contributions.iter();
                            let score = contributions.map(|c| c.score * factor(c.source));
                            (score.sum(), hit.id.as_str())
                        })
                        .collect();
                    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
                    let best = ranked.iter().take(10);
                    let ids: Vec<String> = best.map(|(_, id)| (*id).to_owned()).collect();
                    sum += metric(query, &ids);
                }
                let mean = sum / queries.len().max(1) as f64;
                println!("{behavior:5} {popularity:5} {transition:5}  {mean:.4}");
            }
        }
    }
    Ok(())
}
