//! Report of a training: the held-out table and the features that matter.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use vitrine_schemas::{RankerFigures, RankerInfo, RankerModel, RankerTraining, RankerUpload};

use super::{Boosted, Dataset, Evaluated};

/// Number of features that the text lists.
const SHOWN_FEATURES: usize = 12;

/// A trained ranker with its quality.
#[derive(Clone, Debug, Serialize)]
pub struct RankReport {
    /// Quality on held-out queries.
    pub figures: RankerFigures,
    /// Number of queries, and nDCG@10 before and after, by fold.
    pub folds: Vec<(usize, f64, f64)>,
    /// Training data and settings.
    pub training: RankerTraining,
    /// Number of trees of the ranker.
    pub trees: usize,
    /// True if it is better: the interval of the gain is above 0.
    pub promoted: bool,
    /// The stored ranker; None in a dry run.
    pub stored: Option<RankerInfo>,
}

impl RankReport {
    /// Returns the report of an evaluation.
    pub fn of(evaluated: &Evaluated, training: RankerTraining, seed: u64) -> Self {
        let figures = evaluated.figures(seed);
        Self {
            folds: (0..evaluated.trees.len())
                .map(|fold| evaluated.of_fold(fold))
                .collect(),
            promoted: figures.is_better(),
            trees: evaluated.mean_trees(),
            training,
            stored: None,
            figures,
        }
    }

    /// Returns the tables as text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "held-out queries, {} folds\n{:<10} {:>8} {:>16} {:>16}\n",
            self.figures.folds, "", "queries", "nDCG@10 before", "nDCG@10 after"
        );
        for (fold, (queries, before, after)) in (1..).zip(&self.folds) {
            let name = format!("fold {fold}");
            let _ = writeln!(text, "{name:<10} {queries:>8} {before:>16.4} {after:>16.4}");
        }
        let RankerFigures {
            queries,
            before,
            after,
            gain,
            ..
        } = &self.figures;
        let _ = writeln!(
            text,
            "{:<10} {queries:>8} {before:>16.4} {after:>16.4}",
            "all"
        );
        let _ = writeln!(
            text,
            "gain {:+.4} (95 % interval {:+.4} to {:+.4}, paired by query)",
            gain.mean, gain.low, gain.high
        );
        let mut importance: Vec<_> = self.training.importance.iter().collect();
        importance.sort_by(|a, b| b.1.total_cmp(a.1));
        let shown = importance.iter().take(SHOWN_FEATURES);
        let shown: Vec<_> = shown
            .map(|(name, share)| format!("{name} {share:.3}"))
            .collect();
        let _ = writeln!(
            text,
            "{} trees; share of the gain of splits: {}",
            self.trees,
            shown.join(", ")
        );
        let decision = match (&self.stored, self.promoted) {
            (None, true) => {
                "not stored (--dry-run); it would be activated: it is better".to_owned()
            }
            (None, false) => "not stored (--dry-run); it would not be activated: it is not \
                              significantly better"
                .to_owned(),
            (Some(info), true) => format!("stored as version {} and activated", info.version),
            (Some(info), false) => format!(
                "stored as version {}, not activated: the interval of its gain is not above 0, so \
                 searches are ranked as before",
                info.version
            ),
        };
        text + &decision + "\n"
    }
}

/// Returns the share of the gain of all splits by name of the feature.
pub(super) fn importance(data: &Dataset, boosted: &Boosted) -> BTreeMap<String, f64> {
    let total: f64 = boosted.importance.values().sum();
    let share = |(feature, gain): (&usize, &f64)| {
        (
            data.features[*feature].clone(),
            gain / total.max(f64::MIN_POSITIVE),
        )
    };
    boosted.importance.iter().map(share).collect()
}

/// Returns the ranker as it is stored.
pub(super) fn upload(
    data: &Dataset,
    boosted: Boosted,
    report: &RankReport,
    depth: usize,
) -> Option<RankerUpload> {
    Some(RankerUpload {
        model: RankerModel {
            feature_version: data.feature_version,
            features: data.features.clone(),
            mode: data.mode?,
            depth,
            trees: boosted.trees,
        },
        training: report.training.clone(),
        figures: report.figures.clone(),
    })
}
