//! `evaluate ab`: results of an experiment from exported searches.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use vitrine::experiments::experiment_results;
use vitrine_schemas::{
    ExperimentResults, FigureDifference, InterleavingResults, SearchOutcome, VariantResults,
};

use super::{MAX_REPORTED_ERRORS, create, open, write_json};
use crate::{cli::Outcome, error::CommandError};

#[derive(Debug, Args)]
pub struct AbArgs {
    /// Searches as exported by `GET /v1/collections/{c}/search_events/export`; `-` is standard
    /// input.
    #[arg(long, value_name = "FILE")]
    searches: PathBuf,
    /// Id of the experiment.
    #[arg(long, value_name = "ID")]
    experiment: String,
    /// Variant that the others are compared with [default: the first by name].
    #[arg(long, value_name = "NAME")]
    control: Option<String>,
    /// Write the results to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(args: &AbArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    // Created before the evaluation, so that an unwritable path fails early.
    let json = args.json.as_deref().map(create).transpose()?;
    let (searches, refused) = read(&args.searches)?;
    let results = experiment_results(searches, &args.experiment, args.control.as_deref());
    writeln!(out, "{}", text(&results))?;
    write_json(json, &results)?;
    Ok(if refused == 0 {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}

/// Reads the searches, and the number of lines that are none.
fn read(path: &Path) -> Result<(Vec<SearchOutcome>, usize), CommandError> {
    let error = |source| CommandError::File {
        path: path.to_owned(),
        source,
    };
    let (mut searches, mut refused) = (Vec::new(), 0);
    for (number, line) in (1..).zip(open(path)?.lines()) {
        let line: String = line.map_err(error)?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(&line) {
            Ok(search) => searches.push(search),
            Err(e) => {
                refused += 1;
                if refused <= MAX_REPORTED_ERRORS {
                    eprintln!("line {number}: {e}");
                }
            }
        }
    }
    if refused > MAX_REPORTED_ERRORS {
        eprintln!(
            "{} more lines could not be read",
            refused - MAX_REPORTED_ERRORS
        );
    }
    Ok((searches, refused))
}

fn text(results: &ExperimentResults) -> String {
    let mut lines = vec![format!("experiment {}", results.id)];
    for variant in &results.variants {
        lines.extend(of_variant(variant));
    }
    lines.extend(results.interleaving.as_ref().map(of_interleaving));
    if lines.len() == 1 {
        lines.push("no searches with a user or session take part in it".to_owned());
    }
    lines.join("\n")
}

fn of_variant(variant: &VariantResults) -> Vec<String> {
    let figures = &variant.figures;
    let mut lines = vec![format!(
        "{}: {} searches, {} users, click-through {:.2} %, conversion {:.2} %, revenue per search {:.4}",
        variant.name,
        figures.searches,
        figures.users,
        100.0 * figures.click_through,
        100.0 * figures.conversion,
        variant.revenue_per_search,
    )];
    if let Some(differences) = &variant.differences {
        lines.extend([
            difference("click-through", &differences.click_through),
            difference("conversion", &differences.conversion),
            difference("revenue per search", &differences.revenue_per_search),
        ]);
    }
    lines
}

fn difference(name: &str, found: &FigureDifference) -> String {
    let verdict = if found.significant {
        "significant"
    } else {
        "not significant"
    };
    format!(
        "  {name}: {:+.4} [{:+.4}, {:+.4}], p = {:.4}, {verdict}",
        found.difference, found.low, found.high, found.p_value
    )
}

fn of_interleaving(found: &InterleavingResults) -> String {
    format!(
        "interleaved: {} searches; users who prefer the control {}, the variant {}, neither {}; preference {:.3} [{:.3}, {:.3}], p = {:.4}",
        found.searches,
        found.control_wins,
        found.variant_wins,
        found.ties,
        found.preference,
        found.low,
        found.high,
        found.p_value
    )
}
