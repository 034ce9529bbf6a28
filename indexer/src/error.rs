//! Errors that end a command. Messages name the problem and how to fix it; they are printed
//! unchanged.

use std::{io, path::PathBuf};

use crate::{
    encode::ModelError, evaluate::EvaluateError, federate::FederateError, models::FetchError,
    pipeline::IndexError, settings::SettingsError, sink::SinkError, source::SourceError,
    train::TrainError, train::rank::RankError,
};

/// A failed command.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CommandError {
    #[error("{0}; see --help")]
    Usage(String),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Rank(#[from] RankError),
    #[error(transparent)]
    Federate(#[from] FederateError),
    #[error("heads `{name}` already exist; choose another --name")]
    HeadsExist { name: String },
    #[error("heads `{name}` were not promoted: {reason}; use --force to activate them anyway")]
    NotPromoted { name: String, reason: String },
    #[error(
        "no speech model in the models folder; run `vitrine-indexer models get --preset whisper-base`"
    )]
    NoSpeechModel,
    #[error("cannot embed: {0}")]
    Embed(#[from] vitrine::EmbedError),
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error(transparent)]
    Engine(#[from] vitrine::Error),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    #[error("no vector space `{space}` for this input; expected one of: {known}")]
    UnknownSpace { space: String, known: String },
}
