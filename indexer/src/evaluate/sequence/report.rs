//! Figures of a study, and its table.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use vitrine::cf::metrics::Interval;

use crate::train::sequence::{SequenceEpoch, gain};

/// Figures of a study of next items.
#[derive(Clone, Debug, Serialize)]
pub struct NextItemReport {
    /// Source of the data.
    pub name: String,
    /// Held-out items.
    pub split: String,
    /// Number of users.
    pub users: usize,
    /// Number of items.
    pub items: usize,
    /// Number of interactions.
    pub interactions: usize,
    /// Number of lines or events that could not be read.
    pub refused: usize,
    /// Number of held-out items that were ranked, one for each tested user.
    pub questions: usize,
    /// Number of users whose held-out items they all had before.
    pub without_new: usize,
    /// Number of users without a history.
    pub without_history: usize,
    /// Training of the network, if there is one.
    pub curve: Vec<SequenceEpoch>,
    /// Number of the best epoch of the network; 0 without one.
    pub epochs: usize,
    /// Figures of each model.
    pub models: Vec<RankedModel>,
    /// Differences that the network makes to the blend.
    pub gains: Vec<Gain>,
}

/// Figures of one model.
#[derive(Clone, Debug, Serialize)]
pub struct RankedModel {
    /// Name of the model or blend.
    pub model: String,
    /// Share of users whose item is among the first ten.
    pub recall_at_10: f64,
    /// NDCG of the first ten.
    pub ndcg_at_10: f64,
    /// Share of users whose item is among the first 20.
    pub recall_at_20: f64,
    /// Seconds of the fit; absent for a blend.
    pub fit_seconds: Option<f64>,
}

/// Mean difference of a metric with its 95 % interval.
#[derive(Clone, Debug, Serialize)]
pub struct Gain {
    /// Name of the metric.
    pub metric: String,
    /// Difference with and without the network, paired by user.
    pub interval: Interval,
}

impl RankedModel {
    /// Returns the figures of ranks from 0; None is an item without a score.
    pub(super) fn of(model: &str, fit_seconds: Option<f64>, ranks: &[Option<usize>]) -> Self {
        let mean = |of: &dyn Fn(Option<usize>) -> f64| {
            ranks.iter().map(|rank| of(*rank)).sum::<f64>() / ranks.len().max(1) as f64
        };
        let hit = |rank: Option<usize>, depth| f64::from(u8::from(rank.is_some_and(|r| r < depth)));
        Self {
            model: model.to_owned(),
            recall_at_10: mean(&|rank| hit(rank, 10)),
            ndcg_at_10: mean(&|rank| gain(rank, 10)),
            recall_at_20: mean(&|rank| hit(rank, 20)),
            fit_seconds,
        }
    }
}

impl NextItemReport {
    /// Returns the NDCG@10 that the network adds to the blend of the counting models; None without
    /// a network.
    pub fn gain_of_network(&self) -> Option<Interval> {
        let ndcg = self.gains.iter().find(|gain| gain.metric == "ndcg@10");
        ndcg.map(|gain| gain.interval)
    }

    /// Returns the report as text, without a line break at its end.
    pub fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{}: {} users, {} items, {} interactions",
                self.name, self.users, self.items, self.interactions
            ),
            format!(
                "split {}, ranked among all items that are new to their user; {} users tested, {} had \
                 the item before, {} have no history",
                self.split, self.questions, self.without_new, self.without_history
            ),
        ];
        if self.refused > 0 {
            lines.push(format!(
                "{} lines or events could not be read",
                self.refused
            ));
        }
        lines.push(self.table().to_string());
        lines.extend(self.gains.iter().map(|gain| {
            let Interval { mean, low, high } = gain.interval;
            let metric = &gain.metric;
            format!("blend with gru - without, {metric}: {mean:+.4} [{low:+.4}, {high:+.4}]")
        }));
        lines.join("\n")
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["model", "R@10", "N@10", "R@20", "fit s"]);
        for row in &self.models {
            let seconds = row.fit_seconds.map(|s| format!("{s:.1}"));
            table.add_row([
                row.model.clone(),
                format!("{:.4}", row.recall_at_10),
                format!("{:.4}", row.ndcg_at_10),
                format!("{:.4}", row.recall_at_20),
                seconds.unwrap_or_default(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}
