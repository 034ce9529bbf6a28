//! Report as one self-contained page: no external scripts, fonts or pictures.

use maud::{DOCTYPE, Markup, html};
use vitrine::cf::metrics::Interval;

use super::{
    plot::{self, Bar, bars, lines},
    report::{METRICS, ModelReport, Ranking, Report},
};

/// Metrics that are plotted.
const PLOTTED: [&str; 2] = ["recall", "ndcg"];

impl Report {
    /// Returns the report as a page.
    pub fn html(&self) -> String {
        let depths = self.depths();
        let depth = depths.first().copied().unwrap_or(0);
        let names: Vec<_> = self.models.iter().map(|m| m.model.clone()).collect();
        let ranking = self.protocol.ranking;
        let mark = match ranking {
            Ranking::Full => "",
            Ranking::SampledNegatives(_) => " (sampled negatives)",
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { "Evaluation of " (self.data.source) }
                    style { (plot::STYLE) (PAGE) }
                }
                body {
                    h1 { "Evaluation of recommenders" }
                    @for line in self.summary() { p.fact { (line) } }
                    @if let Ranking::SampledNegatives(_) = ranking { p.warning { (ranking.label()) } }
                    h2 { "Accuracy" }
                    @for metric in PLOTTED {
                        (bars(&format!("{metric}@{depth}{mark}, 95 % intervals"), &self.groups(metric), &[]))
                    }
                    @for (n, k) in depths.iter().enumerate() { (self.figures_at(n, &format!("At {k}{mark}"))) }
                    @if depths.len() > 1 {
                        @for metric in PLOTTED { (self.by_depth(metric, mark)) }
                    }
                    @if !self.comparisons.is_empty() {
                        h2 { "Differences to " (self.comparisons[0].against) }
                        p { "Paired by user. If the interval contains 0, the difference is not significant." }
                        @for metric in PLOTTED {
                            (bars(&format!("difference of {metric}@{depth}{mark}"), &self.differences(metric, depth), &[]))
                        }
                        (self.verdicts())
                    }
                    h2 { "Quality by number of events" }
                    (bars(
                        &format!("recall@{depth}{mark} by events of the user (0 is cold)"),
                        &binned(&self.models, |m| {
                            m.by_user.iter().map(|b| (format!("{} ({} users)", b.events, b.users), bar(&b.recall))).collect()
                        }),
                        &names,
                    ))
                    (bars(
                        &format!("recall@{depth}{mark} by events of the held-out item (0 is cold)"),
                        &binned(&self.models, |m| {
                            let flat = |value| Bar { value, low: value, high: value };
                            m.by_item.iter().map(|b| (format!("{} ({} held out)", b.events, b.held_out), flat(b.recall))).collect()
                        }),
                        &names,
                    ))
                    h2 { "Settings" }
                    div.wide { table {
                        tr { th { "model" } th { "settings" } th { "seconds to fit" } th { "users/s" } }
                        @for m in &self.models {
                            tr { td { (m.model) } td.text { (m.settings) @if let Some(note) = &m.note { br; (note) } } td { (format!("{:.2}", m.fit_seconds)) } td { (format!("{:.0}", m.users_per_second)) } }
                        }
                    } }
                    (definitions())
                }
            }
        }
        .into_string()
    }

    /// Returns one bar per model.
    fn groups(&self, metric: &str) -> Vec<(String, Vec<Bar>)> {
        let first = |m: &ModelReport| (m.model.clone(), vec![bar(&m.at[0].figures[metric])]);
        self.models.iter().map(first).collect()
    }

    fn differences(&self, metric: &str, depth: usize) -> Vec<(String, Vec<Bar>)> {
        let wanted = self.comparisons.iter();
        let wanted = wanted.filter(|c| c.metric == metric && c.k == depth);
        wanted
            .map(|c| (c.model.clone(), vec![bar(&c.difference)]))
            .collect()
    }

    fn by_depth(&self, metric: &str, mark: &str) -> Markup {
        let places: Vec<_> = self.depths().iter().map(|k| format!("@{k}")).collect();
        let series = self.models.iter().map(|m| {
            let values = m.at.iter().map(|at| at.figures[metric].mean);
            (m.model.clone(), values.collect())
        });
        lines(
            &format!("{metric} by depth{mark}"),
            &places,
            &series.collect::<Vec<_>>(),
        )
    }

    fn figures_at(&self, depth: usize, title: &str) -> Markup {
        let known = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
        html! {
            h3 { (title) }
            div.wide { table {
                tr {
                    th { "model" }
                    @for (name, _) in METRICS { th { (name) } }
                    th { "coverage" } th { "novelty" } th { "diversity" } th { "cross-category" }
                }
                @for m in &self.models {
                    @let at = &m.at[depth];
                    tr {
                        td { (m.model) }
                        @for (name, _) in METRICS {
                            @let i = at.figures[name];
                            td title=(format!("{:.4} to {:.4}", i.low, i.high)) { (format!("{:.4}", i.mean)) }
                        }
                        td { (format!("{:.3}", at.coverage)) }
                        td { (format!("{:.2}", at.novelty)) }
                        td { (known(at.diversity)) }
                        td { (known(at.cross_category)) }
                    }
                }
            } }
        }
    }

    fn verdicts(&self) -> Markup {
        html! {
            details { summary { "All metrics and depths" } div.wide { table {
                tr { th { "model" } th { "metric" } th { "difference" } th { "95 % interval" } th { "verdict" } }
                @for c in &self.comparisons {
                    tr {
                        td { (c.model) }
                        td { (c.metric) "@" (c.k) }
                        td { (format!("{:+.4}", c.difference.mean)) }
                        td { (format!("{:+.4} to {:+.4}", c.difference.low, c.difference.high)) }
                        td class=(c.verdict.word()) { (c.verdict.word()) }
                    }
                }
            } } }
        }
    }
}

fn bar(interval: &Interval) -> Bar {
    Bar {
        value: interval.mean,
        low: interval.low,
        high: interval.high,
    }
}

/// Draws one group per bin and one bar per model: all models have the same bins.
fn binned(
    models: &[ModelReport],
    bins: impl Fn(&ModelReport) -> Vec<(String, Bar)>,
) -> Vec<(String, Vec<Bar>)> {
    let mut groups: Vec<(String, Vec<Bar>)> = Vec::new();
    for model in models {
        for (n, (name, bar)) in bins(model).into_iter().enumerate() {
            match groups.get_mut(n) {
                Some((_, bars)) => bars.push(bar),
                None => groups.push((name, vec![bar])),
            }
        }
    }
    groups
}

fn definitions() -> Markup {
    const TERMS: [(&str, &str); 11] = [
        (
            "recall",
            "share of a user's held-out items that were recommended",
        ),
        (
            "precision",
            "share of the recommended items that were held out",
        ),
        ("f1", "harmonic mean of precision and recall"),
        ("hit rate", "share of the users with at least one hit"),
        (
            "ndcg",
            "gain of the hits, discounted by rank, relative to the ideal ranking",
        ),
        ("map", "mean of the precision at each hit"),
        ("mrr", "mean of 1 / rank of the first hit"),
        (
            "coverage",
            "share of all items that were recommended to at least one user",
        ),
        (
            "novelty",
            "mean -log2 of the share of users who had the item, in bits",
        ),
        (
            "diversity",
            "mean distance (1 - cosine) of two items of a list",
        ),
        (
            "cross-category",
            "share of a list from categories that are new to the user",
        ),
    ];
    html! {
        h2 { "Terms" }
        dl { @for (term, meaning) in TERMS { dt { (term) } dd { (meaning) } } }
    }
}

const PAGE: &str = "body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2em; } h3 { font-size: 1rem; }
.fact { margin: .2em 0; color: var(--soft); overflow-wrap: anywhere; } .warning { border-left: 4px solid var(--c6); padding: .4em .8em; font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3em .7em; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child, td.text { text-align: left; } td.text { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; }
td.better { color: var(--c2); } td.worse { color: var(--c6); }
dt { font-weight: 600; } dd { margin: 0 0 .4em; }
";
