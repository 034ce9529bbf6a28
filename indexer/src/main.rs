//! `vitrine-indexer`: the command line of the indexer. Everything it does is in the library.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;
use vitrine_indexer::{
    cli::{Cli, Outcome, run},
    error::CommandError,
    pipeline::LogWriter,
};

fn main() -> ExitCode {
    let version = vitrine::version(option_env!("VITRINE_COMMIT"));
    let arguments = Cli::command().version(version).get_matches();
    let cli = Cli::from_arg_matches(&arguments).unwrap_or_else(|error| error.exit());
    // A recording that cannot be read is an error of the caller, not of this program.
    let default = format!("{},symphonia=off", vitrine::LOG_FILTER);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| LogWriter)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    match run(cli, &mut io::stdout().lock()) {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Partial) => ExitCode::from(3),
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vitrine-indexer: {error}");
            match error {
                CommandError::Usage(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
