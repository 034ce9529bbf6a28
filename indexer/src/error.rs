//! What can end a command. Messages say what is wrong and how to mend it; they are printed as they are.

use std::{io, path::PathBuf};

use crate::{
    encode::ModelError, evaluate::EvaluateError, models::FetchError, pipeline::IndexError,
    settings::SettingsError, sink::SinkError, source::SourceError, train::TrainError,
};

/// A failed command.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CommandError {
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
    #[error("there are heads called `{name}` already; give another --name")]
    HeadsExist { name: String },
    #[error("heads `{name}` were not promoted: {reason}; --force uses them all the same")]
    NotPromoted { name: String, reason: String },
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
    #[error("no space `{space}` for this input; there are: {known}")]
    UnknownSpace { space: String, known: String },
}
