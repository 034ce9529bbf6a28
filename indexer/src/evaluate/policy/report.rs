//! Estimates of a log as a table and as JSON.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{
    estimators::{Diagnostics, Estimate, diagnostics, doubly_robust, ips, logged, snips},
    log::PolicyLog,
};

/// Effective number of hits below which estimates are not to be trusted.
const MIN_EFFECTIVE_HITS: f64 = 100.0;

/// Share of one hit in the sum of the weights from which it decides an estimate.
const MAX_SHARE: f64 = 0.05;

/// Deviation of the support from 1 that matters.
const MAX_SUPPORT_GAP: f64 = 0.05;

/// Rewards per page of the logged policy and, by estimation, of the target policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyReport {
    /// Number of pages.
    pub pages: usize,
    /// Number of users; a page without a user counts as one.
    pub users: usize,
    /// Number of lines that could not be read.
    pub refused: usize,
    /// Reward of the logged policy.
    pub logged: Estimate,
    /// Estimate by inverse propensities.
    pub ips: Estimate,
    /// Self-normalized estimate.
    pub snips: Estimate,
    /// Doubly robust estimate; absent if a line has no `target`.
    pub doubly_robust: Option<Estimate>,
    /// Overlap of both policies.
    pub diagnostics: Diagnostics,
    /// Reasons not to trust the estimates.
    pub warnings: Vec<String>,
}

impl PolicyReport {
    /// Evaluates a log.
    pub fn of(log: &PolicyLog) -> Self {
        let diagnostics = diagnostics(log);
        Self {
            pages: log.len(),
            users: log.users,
            refused: log.rejections.len(),
            logged: logged(log),
            ips: ips(log),
            snips: snips(log),
            doubly_robust: doubly_robust(log),
            warnings: warnings(&diagnostics),
            diagnostics,
        }
    }

    /// Returns the report as text, without a line break at its end.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} pages of {} users", self.pages, self.users)];
        if self.refused > 0 {
            lines.push(format!("{} lines could not be read", self.refused));
        }
        lines.push(self.table().to_string());
        if self.doubly_robust.is_none() {
            lines.push("no doubly robust estimate: it needs `target` in every line".to_owned());
        }
        let Diagnostics {
            hits,
            effective_sample_size,
            max_weight,
            support,
            ..
        } = self.diagnostics;
        lines.push(format!(
            "effective sample size {effective_sample_size:.0} of {hits} hits, largest weight \
             {max_weight:.1}, support {:.3}",
            support.value
        ));
        lines.extend(self.warnings.iter().map(|w| format!("warning: {w}")));
        lines.join("\n")
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["reward per page", "estimate", "low", "high"]);
        let rows = [
            ("logged policy", Some(self.logged)),
            ("target, IPS", Some(self.ips)),
            ("target, SNIPS", Some(self.snips)),
            ("target, doubly robust", self.doubly_robust),
        ];
        for (name, estimate) in rows {
            let Some(Estimate { value, low, high }) = estimate else {
                continue;
            };
            let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.4}"));
            table.add_row([
                name.to_owned(),
                number(Some(value)),
                number(low),
                number(high),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

fn warnings(diagnostics: &Diagnostics) -> Vec<String> {
    let mut warnings = Vec::new();
    let size = diagnostics.effective_sample_size;
    if size < MIN_EFFECTIVE_HITS {
        warnings.push(format!(
            "the effective sample size is {size:.0}; expected at least {MIN_EFFECTIVE_HITS}: log \
             more pages, or choose a target that is closer to the logged policy"
        ));
    }
    if diagnostics.max_share > MAX_SHARE {
        warnings.push(format!(
            "one hit has {:.0} % of the sum of the weights, so it decides the estimates",
            100.0 * diagnostics.max_share
        ));
    }
    let Estimate { value, low, high } = diagnostics.support;
    let is_certain = low.is_none_or(|low| low > 1.0) || high.is_none_or(|high| high < 1.0);
    if (value - 1.0).abs() > MAX_SUPPORT_GAP && is_certain {
        warnings.push(format!(
            "the weights add up to {value:.2} of the target's page, expected 1: the logged policy \
             never shows some items of the target, or propensities are wrong"
        ));
    }
    warnings
}
