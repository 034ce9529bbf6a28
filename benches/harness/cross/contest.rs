//! Contenders' figures side by side.

use std::time::Instant;

use vitrine::{
    Collection,
    cf::metrics::Interval,
    schemas::{Scope, SearchResponse, SimilarParams, Source},
};

use crate::Outcome;

/// Draws of the bootstrap.
const RESAMPLES: usize = 1_000;

/// Hits that weights are tried on.
const DEEP: usize = 200;

/// Figures of contenders, question by question; the first is compared with each other one.
pub struct Contest {
    figures: &'static [&'static str],
    lines: Vec<(String, Vec<Vec<f64>>)>,
}

impl Contest {
    pub fn new(figures: &'static [&'static str]) -> Self {
        Self {
            figures,
            lines: Vec::new(),
        }
    }

    /// Adds a contender: `answer` gives the figures of each question.
    pub fn add<T>(
        &mut self,
        name: &str,
        questions: &[T],
        mut answer: impl FnMut(&T) -> Outcome<Vec<f64>>,
    ) -> Outcome<()> {
        let started = Instant::now();
        let mut columns = vec![Vec::with_capacity(questions.len()); self.figures.len()];
        for question in questions {
            for (column, figure) in columns.iter_mut().zip(answer(question)?) {
                column.push(figure);
            }
        }
        let each = started.elapsed().as_secs_f64() * 1e3 / questions.len().max(1) as f64;
        eprintln!("{name}: {each:.2} ms a question");
        self.lines.push((name.to_owned(), columns));
        Ok(())
    }

    pub fn print(&self) {
        let heads = self.figures.iter().map(|f| format!("{f:<27}"));
        println!("{} mean [95 % interval]", heads.collect::<String>());
        for (name, columns) in &self.lines {
            let own = columns
                .iter()
                .map(|c| interval(Interval::bootstrap(c, RESAMPLES, 1)));
            println!("{}  {name}", own.collect::<Vec<_>>().join("  "));
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

/// Ids of similar items.
pub fn similar(shop: &Collection, id: &str, params: &SimilarParams) -> Outcome<Vec<String>> {
    Ok(ids(shop.similar(id, params, None)?))
}

fn ids(answer: SearchResponse) -> Vec<String> {
    answer.hits.into_iter().map(|hit| hit.id).collect()
}

/// Across categories.
pub fn across(space: &str, limit: usize) -> SimilarParams {
    SimilarParams {
        rules: true,
        scope: Scope::Cross,
        ..anywhere(space, limit)
    }
}

/// Anywhere.
pub fn anywhere(space: &str, limit: usize) -> SimilarParams {
    SimilarParams {
        rules: true,
        scope: Scope::Any,
        categories: Vec::new(),
        space: space.to_owned(),
        limit,
        filter: None,
        explain: false,
        mmr: None,
        max_per_category: None,
        max_per_brand: None,
        group_by: None,
    }
}

/// A filter that leaves a category out.
pub fn without(category: &str) -> Option<String> {
    Some(format!(
        "NOT category = \"{}\"",
        category.replace('"', "\\\"")
    ))
}

/// What the first figure would be if sources counted more or less: parts of a score add up, so answers can be ranked anew.
pub fn weights<T>(
    shop: &Collection,
    space: &str,
    questions: &[T],
    id: impl Fn(&T) -> &str,
    judge: impl Fn(&T, &[String]) -> f64,
) -> Outcome<()> {
    let deep = across(space, DEEP);
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        answers.push(shop.similar(id(question), &deep, None)?.hits);
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
                for (question, hits) in questions.iter().zip(&answers) {
                    let mut ranked: Vec<(f32, &str)> = hits
                        .iter()
                        .map(|hit| {
                            let parts = hit.contributions.iter();
                            let score = parts.map(|c| c.score * factor(c.source));
                            (score.sum(), hit.id.as_str())
                        })
                        .collect();
                    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
                    let best = ranked.iter().take(10);
                    let ids: Vec<String> = best.map(|(_, id)| (*id).to_owned()).collect();
                    sum += judge(question, &ids);
                }
                let mean = sum / questions.len().max(1) as f64;
                println!("{behavior:5} {popularity:5} {transition:5}  {mean:.4}");
            }
        }
    }
    Ok(())
}
