//! `heads`: lists and activates trained heads.

use std::{io::Write, path::Path};

use clap::Subcommand;
use serde_json::json;

use super::{ModelsDir, Outcome};
use crate::{
    encode::{ModelError, weights::read_json_optional},
    error::CommandError,
    space::heads,
    train::guard::Decision,
};

#[derive(Debug, Subcommand)]
pub(super) enum HeadsCommand {
    /// List the trained heads, one JSON object per line: name, in_use, and the decision of the
    /// guard.
    List {
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Activate heads that the guard promoted. Programs load them at their next start; collections
    /// are moved to them with `reembed run`, or indexed again.
    Use {
        /// Name of the heads.
        name: String,
        /// Ignore the decision of the guard.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        dir: ModelsDir,
    },
    /// Deactivate all heads: return to the space without heads.
    Clear {
        #[command(flatten)]
        dir: ModelsDir,
    },
}

pub(super) fn run(command: &HeadsCommand, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    match command {
        HeadsCommand::List { dir } => {
            let active = heads::active(&dir.path())?;
            for name in heads::list(&dir.path())? {
                let decision = decision(&dir.path(), &name)?;
                let in_use = active.as_ref() == Some(&name);
                let line = json!({"name": name, "in_use": in_use, "decision": decision});
                writeln!(out, "{line}")?;
            }
        }
        HeadsCommand::Use { name, force, dir } => {
            let decision = decision(&dir.path(), name)?;
            if let Some(refusal) = decision.filter(|d| !d.promoted && !force) {
                let (name, reason) = (name.clone(), refusal.reason);
                return Err(CommandError::NotPromoted { name, reason });
            }
            heads::activate(&dir.path(), Some(name))?;
        }
        HeadsCommand::Clear { dir } => heads::activate(&dir.path(), None)?,
    }
    Ok(Outcome::Complete)
}

/// Returns the decision of the guard on heads, if there is one.
fn decision(models: &Path, name: &str) -> Result<Option<Decision>, ModelError> {
    read_json_optional(&heads::folder(models, name)?.join("decision.json"))
}
