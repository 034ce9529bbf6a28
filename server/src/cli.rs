//! Commands and their flags.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    config::Config,
    keys::{self, Action, Key, Keys},
    openapi, serve, telemetry,
};

/// Vector search for products over HTTP.
#[derive(Debug, Parser)]
#[command(
    name = "vitrine-server",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a data directory; the default.
    Serve(ServeArgs),
    /// Check the configuration and print it as it would be used.
    CheckConfig(ConfigArgs),
    /// Print the OpenAPI description.
    Openapi,
    /// Make API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// File that gets the address once the server listens.
    #[arg(long)]
    address_file: Option<PathBuf>,
}

/// Flags win over `VITRINE_SERVER__*` variables, these over the file.
#[derive(Debug, Args, Serialize)]
struct ConfigArgs {
    /// TOML file.
    #[arg(long)]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:7280].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// Where the database lives [default: ./data].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Where the encoders live; without it there is no search by text or photo.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    models_dir: Option<PathBuf>,
    /// Numbers the text encoder computes in: f32 or int8, as the collections' vectors were made [default: f32].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,
    /// Folder that the paths of items' photos are relative to; without it no photos are shown.
    #[arg(long)]
    #[serde(rename = "images.root", skip_serializing_if = "Option::is_none")]
    images_root: Option<PathBuf>,
    /// Folder of evaluation reports in JSON, which the console draws.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reports_dir: Option<PathBuf>,
    /// API keys; without it everything is open, on the loopback address only.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key; its secret is printed once and kept nowhere. Servers read the file when they start.
    Create {
        /// For humans.
        #[arg(long)]
        name: String,
        /// What it may do: read (search, read, embed), write (items, events), admin (collections, aliases).
        #[arg(long, value_delimiter = ',', required = true)]
        actions: Vec<Action>,
        /// Collections or aliases it may name; `*` is every one.
        #[arg(long, value_delimiter = ',', required = true)]
        collections: Vec<String>,
        /// File to add it to.
        #[arg(long)]
        keys_file: PathBuf,
    },
}

impl ConfigArgs {
    /// The configuration and the keys it names.
    fn load(&self) -> Result<(Config, Keys), String> {
        let flags: Map<String, Value> = match serde_json::to_value(self) {
            Ok(Value::Object(flags)) => flags,
            Ok(_) => Map::new(),
            Err(e) => return Err(format!("flags: {e}")),
        };
        let config =
            Config::load(self.config.as_deref(), flags).map_err(|faults| faults.join("\n"))?;
        let keys = match &config.keys_file {
            Some(path) => match Keys::load(path)? {
                keys if keys.is_empty() => {
                    let path = path.display();
                    return Err(format!(
                        "keys file {path}: has no key; make one, or leave keys_file out"
                    ));
                }
                keys => keys,
            },
            None => Keys::default(),
        };
        if keys.is_empty() && !config.listen.ip().is_loopback() {
            return Err(format!(
                "{} is not a loopback address and there is no key: make one with `vitrine-server keys create` \
                 and give --keys-file, or listen on 127.0.0.1",
                config.listen
            ));
        }
        Ok((config, keys))
    }
}

/// Carries out a command.
///
/// # Errors
/// It could not be carried out; the message says why and how to mend it.
pub async fn run(cli: Cli) -> Result<(), String> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => {
            let (config, keys) = args.config.load()?;
            telemetry::init(&config.log)?;
            serve::serve(config, keys, args.address_file.as_deref()).await
        }
        Command::CheckConfig(args) => {
            let (config, _) = args.load()?;
            print(&toml::to_string(&config).map_err(|e| e.to_string())?)
        }
        Command::Openapi => print(&openapi::text()),
        Command::Keys(KeysCommand::Create {
            name,
            actions,
            collections,
            keys_file,
        }) => create_key(name, actions, collections, &keys_file),
    }
}

fn create_key(
    name: String,
    actions: Vec<Action>,
    collections: Vec<String>,
    file: &Path,
) -> Result<(), String> {
    let (key, secret) =
        Key::create(name, actions, collections).map_err(|e| format!("random bytes: {e}"))?;
    keys::append(file, key)?;
    print(&format!("{secret}\n"))
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| format!("standard output: {e}"))
}
