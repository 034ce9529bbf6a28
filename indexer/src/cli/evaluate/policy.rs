//! `evaluate policy`: the value of another policy, estimated from logged pages.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{MAX_REPORTED_ERRORS, create, open, write_json};
use crate::{
    cli::Outcome,
    error::CommandError,
    evaluate::{
        EvaluateError,
        policy::{PolicyLog, PolicyReport},
    },
};

#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Logged pages, a JSON object per line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Propensities are those of an item at its position, not of an item on the page.
    #[arg(long)]
    by_position: bool,
    /// Write the estimates to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(args: &PolicyArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    // Created before the evaluation, so that an unwritable path fails early.
    let json = args.json.as_deref().map(create).transpose()?;
    let log = read(&args.log, args.by_position)?;
    for (number, reason) in log.rejections.iter().take(MAX_REPORTED_ERRORS) {
        eprintln!("line {number}: {reason}");
    }
    if log.rejections.len() > MAX_REPORTED_ERRORS {
        let more = log.rejections.len() - MAX_REPORTED_ERRORS;
        eprintln!("{more} more lines could not be read");
    }
    if log.is_empty() {
        return Err(EvaluateError::NoPages.into());
    }
    let report = PolicyReport::of(&log);
    writeln!(out, "{}", report.text())?;
    write_json(json, &report)?;
    Ok(if report.refused == 0 {
        Outcome::Complete
    } else {
        Outcome::Partial
    })
}

fn read(path: &Path, by_position: bool) -> Result<PolicyLog, CommandError> {
    PolicyLog::read(open(path)?, by_position).map_err(|source| CommandError::File {
        path: path.to_owned(),
        source,
    })
}
