//! Where a command writes: a data directory, or a running server.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
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
    /// The server's API key; it needs the actions read and write, and admin where the collection has to be made.
    #[arg(
        long,
        value_name = "KEY",
        env = "VITRINE_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// When a batch counts as written; with --data.
    #[arg(long, value_enum, default_value = "os")]
    durability: Safety,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Data directory to write to; no server may have it open.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Running server to write to, such as http://localhost:7280.
    #[arg(long, value_name = "URL", value_parser = address)]
    server: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Safety {
    /// With the operating system: survives a crash of the process.
    Os,
    /// On the disk: survives a power cut.
    Fsync,
}

impl Target {
    /// The server, where one is named.
    pub fn http(&self, collection: &str) -> Option<HttpSink> {
        let key = self.api_key.clone().filter(|key| !key.is_empty());
        let url = self.place.server.as_deref()?;
        Some(HttpSink::new(url, collection, key))
    }

    /// The data directory; made where it is missing if `create` says so.
    pub fn engine(&self, collection: &str, create: bool) -> Result<EngineSink, SinkError> {
        let options = vitrine::Options {
            durability: match self.durability {
                Safety::Os => Durability::Os,
                Safety::Fsync => Durability::Fsync,
            },
            create,
            ..vitrine::Options::default()
        };
        // The flags' group lets one of the two through.
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
        _ => Err("write it like http://localhost:7280".to_owned()),
    }
}

/// A collection of a running server.
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
        let key = self.api_key.clone().filter(|key| !key.is_empty());
        HttpSink::new(&self.server, &self.collection, key)
    }
}

/// The file that lists refusals, where one is named.
pub(super) fn rejects(path: Option<&Path>) -> Result<Rejects, CommandError> {
    Rejects::create(path).map_err(|source| CommandError::File {
        path: path.map(Path::to_owned).unwrap_or_default(),
        source,
    })
}
