//! Report as text for a terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::report::{METRICS, ModelReport, Report, Verdict};

impl Report {
    /// Returns the report as text, without a line break at its end.
    pub fn text(&self) -> String {
        let mut parts = vec![self.summary().join("\n")];
        for (n, first) in self.depths().into_iter().enumerate() {
            parts.push(format!(
                "At {first} ({})\n{}",
                self.protocol.ranking.label(),
                self.figures(n)
            ));
        }
        let notes = self.models.iter();
        parts.extend(notes.filter_map(|m| Some(format!("{}: {}", m.model, m.note.as_ref()?))));
        parts.push(format!(
            "Recall by events of the user\n{}",
            self.by(|m| {
                m.by_user
                    .iter()
                    .map(|b| (b.events.clone(), b.users, b.recall.mean))
                    .collect()
            })
        ));
        parts.push(format!(
            "Recall by events of the held-out item\n{}",
            self.by(|m| {
                m.by_item
                    .iter()
                    .map(|b| (b.events.clone(), b.held_out, b.recall))
                    .collect()
            })
        ));
        if let Some(depth) = self.depths().first() {
            let sentences = self.comparisons.iter().filter(|c| c.k == *depth);
            let sentences = sentences.filter(|c| ["recall", "ndcg"].contains(&c.metric));
            let sentences: Vec<_> = sentences.map(|c| c.sentence()).collect();
            if !sentences.is_empty() {
                parts.push(sentences.join("\n"));
            }
        }
        parts.join("\n\n")
    }

    /// Returns the properties of data and protocol as sentences.
    pub fn summary(&self) -> Vec<String> {
        let (data, protocol) = (&self.data, &self.protocol);
        let mut lines = vec![format!(
            "{}: {} events, {} users, {} items ({} with category, {} with vector)",
            data.source,
            data.interactions,
            data.users,
            data.items,
            data.items_with_category,
            data.items_with_vector
        )];
        if let (Some(first), Some(last)) = (&data.first_event, &data.last_event) {
            lines.push(format!("Events from {first} to {last}"));
        }
        let cut = protocol.cut.as_ref().map(|cut| format!(" from {cut} on"));
        lines.push(format!(
            "Split {}: {} events to learn from, {} held out{}",
            protocol.split,
            protocol.train,
            protocol.held_out,
            cut.unwrap_or_default()
        ));
        lines.push(format!(
            "{} users tested on {} {} ({} have too little history, {} nothing new)",
            protocol.users_tested,
            protocol.relevant,
            if protocol.new_only {
                "items new to them"
            } else {
                "items"
            },
            protocol.users_without_history,
            protocol.users_without_new
        ));
        if let Some(share) = protocol.cold_items {
            lines.push(format!(
                "Only {} % of the items are ranked, whose events before the split are hidden",
                100.0 * share
            ));
        }
        if let Some(count) = protocol.max_history {
            lines.push(format!("Histories are cut to their latest {count} items"));
        }
        lines.push(format!(
            "{}; 95 % intervals from {} bootstrap resamples of the users",
            protocol.ranking.label(),
            protocol.resamples
        ));
        lines
    }

    /// Returns the depths of the lists.
    pub fn depths(&self) -> Vec<usize> {
        let first = self.models.first();
        first.map_or(Vec::new(), |m| m.at.iter().map(|at| at.k).collect())
    }

    fn figures(&self, depth: usize) -> Table {
        let mut head = vec![
            "model".to_owned(),
            "recall [95 %]".into(),
            "ndcg [95 %]".into(),
        ];
        head.extend(METRICS[2..].iter().map(|(name, _)| (*name).to_owned()));
        head.extend(
            [
                "coverage",
                "novelty",
                "diversity",
                "cross",
                "fit s",
                "users/s",
            ]
            .map(str::to_owned),
        );
        let mut table = table(head);
        for model in &self.models {
            let at = &model.at[depth];
            let mut row = vec![model.model.clone()];
            for (n, (name, _)) in METRICS.iter().enumerate() {
                let i = at.figures[name];
                row.push(if n < 2 {
                    format!("{:.4} [{:.4} {:.4}]", i.mean, i.low, i.high)
                } else {
                    format!("{:.4}", i.mean)
                });
            }
            let known = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
            row.extend([
                format!("{:.3}", at.coverage),
                format!("{:.2}", at.novelty),
                known(at.diversity),
                known(at.cross_category),
                format!("{:.2}", model.fit_seconds),
                format!("{:.0}", model.users_per_second),
            ]);
            table.add_row(row);
        }
        right(table)
    }

    /// Returns a table with one column per bin and one row per model.
    fn by(&self, bins: impl Fn(&ModelReport) -> Vec<(String, usize, f64)>) -> Table {
        let mut head = vec!["model".to_owned()];
        if let Some(model) = self.models.first() {
            head.extend(
                bins(model)
                    .iter()
                    .map(|(events, count, _)| format!("{events} (n={count})")),
            );
        }
        let mut table = table(head);
        for model in &self.models {
            let values = bins(model);
            let values = values.iter().map(|(_, _, value)| format!("{value:.4}"));
            table.add_row(std::iter::once(model.model.clone()).chain(values));
        }
        right(table)
    }
}

impl Verdict {
    /// Returns one word or phrase.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Undecided => "not significant",
        }
    }
}

fn table(head: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(head);
    table
}

/// Aligns numbers to the right.
fn right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
