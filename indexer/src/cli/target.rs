//! Destination of a command's writes: a data directory, or a running server.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use vitrine::Durability;

use crate::{
    error::CommandError,
    pipeline::Rejects,
    sink::{EngineSink, HttpSink, SinkError},
};

#[derive(Debug, Args)]
pub(super) struct Target {
    #[command(flatten)]
    place: Place,
    /// The server's API key; it needs the actions read and write, and admin to create a collection.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Time at which a batch counts as written; only with --data.
    #[arg(long, default_value = "os", value_parser = durability())]
    durability: Durability,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Place {
    /// Data directory to write to; no server may have it open.
    #[arg(long, visible_alias = "data-dir", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Running server to write to, such as http://localhost:7280.
    #[arg(long, value_name = "URL", value_parser = address)]
    server: Option<String>,
}

/// Returns the parser of a [`Durability`].
fn durability() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new([
        PossibleValue::new("os")
            .help("Handed to the operating system: survives a crash of the process"),
        PossibleValue::new("fsync").help("Synced to disk: survives a power failure"),
    ])
    .map(|name| {
        if name == "fsync" {
            Durability::Fsync
        } else {
            Durability::Os
        }
    })
}

impl Target {
    /// Checks that there is a destination.
    ///
    /// # Errors
    /// Neither `--data` nor `--server` is given.
    pub fn check(&self) -> Result<(), CommandError> {
        if self.place.data.is_some() || self.place.server.is_some() {
            return Ok(());
        }
        Err(CommandError::Usage(
            "expected --data DIR or --server URL, got neither".to_owned(),
        ))
    }

    /// Returns the server, if one is named.
    pub fn http(&self, collection: &str) -> Option<HttpSink> {
        let url = self.place.server.as_deref()?;
        Some(http_sink(url, collection, self.api_key.as_ref()))
    }

    /// Opens the data directory; `create` creates it if missing.
    pub fn engine(&self, collection: &str, create: bool) -> Result<EngineSink, SinkError> {
        let options = vitrine::Options {
            durability: self.durability,
            create,
            ..vitrine::Options::default()
        };
        // `check` requires one of the two.
        let data = self.place.data.as_deref().unwrap_or(Path::new("data"));
        EngineSink::open(data, collection, options)
    }
}

pub(super) fn address(text: &str) -> Result<String, String> {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        _ => Err("expected a URL such as http://localhost:7280".to_owned()),
    }
}

/// Returns a collection of a running server; an empty key is none.
pub(super) fn http_sink(url: &str, collection: &str, api_key: Option<&String>) -> HttpSink {
    let key = api_key.filter(|key| !key.is_empty());
    HttpSink::new(url, collection, key.cloned())
}

/// Collection of a running server.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// Running server, such as http://localhost:7280.
    #[arg(long, value_name = "URL", value_parser = address)]
    server: String,
    /// The server's API key, with the actions that the command needs.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Collection.
    #[arg(long, value_name = "NAME")]
    collection: String,
}

impl Remote {
    pub fn http(&self) -> HttpSink {
        http_sink(&self.server, &self.collection, self.api_key.as_ref())
    }
}

/// Opens the file of rejected records, if one is named.
pub(super) fn rejects(path: Option<&Path>) -> Result<Rejects, CommandError> {
    Rejects::create(path).map_err(|source| CommandError::File {
        path: path.map(Path::to_owned).unwrap_or_default(),
        source,
    })
}
