//! Command-line interface.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    auth::{self, Action, Key, Keys},
    backup::{self, BackupArgs, RepairArgs, RestoreArgs, SnapshotsCommand, VerifyArgs},
    config::Config,
    openapi,
    ops::{telemetry, traces::Traces},
    replication::{self, RestoreAtArgs},
    serve,
};

/// Vector search database for products: HTTP server.
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
    /// Serve a data directory (default command).
    Serve(ServeArgs),
    /// Validate the configuration and print it with all defaults.
    CheckConfig(ConfigArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Make a snapshot of a database, of a running server or of a stopped one.
    Backup(BackupArgs),
    /// List or delete the snapshots of a target.
    #[command(subcommand)]
    Snapshots(SnapshotsCommand),
    /// Restore a snapshot into an empty folder.
    Restore(RestoreArgs),
    /// Restore the database as of an earlier time from the states of `replication.store`.
    RestoreAt(RestoreAtArgs),
    /// Check every file of a snapshot or of a stopped database.
    Verify(VerifyArgs),
    /// Make a damaged database open again, with what can be read of it.
    Repair(RepairArgs),
    /// Manage API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// File to write the address to when the server accepts connections.
    #[arg(long)]
    address_file: Option<PathBuf>,
    /// Take over from another writer of `replication.store`; `--data-dir` must be empty, and is
    /// filled from the store.
    #[arg(long)]
    take_over: bool,
}

/// Flags override `VITRINE_SERVER__*` variables, which override the file.
#[derive(Debug, Args, Serialize)]
struct ConfigArgs {
    /// TOML configuration file.
    #[arg(long)]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 selects a free port [default: 127.0.0.1:7280].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// Folder of the database [default: ./data].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Folder of the encoders; without it there is no semantic search by text or image.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    models_dir: Option<PathBuf>,
    /// Numeric precision of the text encoder, f32 or int8; it must match the vectors of the
    /// collections [default: f32].
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<String>,
    /// Folder that image paths of items are relative to; without it no images by path are served.
    #[arg(long)]
    #[serde(rename = "images.root", skip_serializing_if = "Option::is_none")]
    images_root: Option<PathBuf>,
    /// Folder of evaluation reports (JSON) that the console shows.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reports_dir: Option<PathBuf>,
    /// File of API keys; without it all routes are open, on the loopback address only.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_file: Option<PathBuf>,
    /// Folder or URL of the states that a writer publishes (s3://, gs://, az://).
    #[arg(long)]
    #[serde(rename = "replication.store", skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    /// Serve what a writer publishes in --store; --data-dir is then a cache.
    #[arg(long)]
    #[serde(rename = "replication.replica", skip_serializing_if = "is_false")]
    replica: bool,
    /// Address of the writer, to which a replica forwards changes.
    #[arg(long)]
    #[serde(
        rename = "replication.writer_url",
        skip_serializing_if = "Option::is_none"
    )]
    writer_url: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Create a key. Its secret is printed once and not stored. Running servers accept it within
    /// seconds.
    Create {
        /// Name of the key, for people.
        #[arg(long)]
        name: String,
        /// Actions to grant: read (search, read, embed), write (items, events), admin (collections,
        /// aliases), keys (keys over HTTP).
        #[arg(long, value_delimiter = ',', required = true)]
        actions: Vec<Action>,
        /// Collections or aliases that the key covers; `*` covers all.
        #[arg(long, value_delimiter = ',', required = true)]
        collections: Vec<String>,
        /// Days until the key expires; without it, it does not.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=auth::MAX_LIFETIME_DAYS as i64))]
        expires_in_days: Option<u32>,
        /// Requests per second, in place of `limits.key_requests_per_second`; 0 for no limit.
        #[arg(long)]
        requests_per_second: Option<u32>,
        /// Let the key sign user tokens: JWTs (HS256) with which browsers ask for their own
        /// shopper. The secret to sign with is printed on a second line and stored in the file.
        #[arg(long)]
        sign_tokens: bool,
        /// File to add the key to.
        #[arg(long)]
        keys_file: PathBuf,
    },
    /// List the keys of a file, without their secrets.
    List {
        /// File of the keys.
        #[arg(long)]
        keys_file: PathBuf,
    },
    /// Give a key a new secret, which is printed once; a key that signs user tokens gets a new
    /// secret for these too, on a second line. Running servers accept it within seconds, and the
    /// old one for the hours of the overlap.
    Rotate {
        /// Name of the key.
        #[arg(long)]
        name: String,
        /// Hours for which the old secret is accepted too; 0 refuses it at once.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=auth::MAX_OVERLAP_HOURS as i64))]
        overlap_hours: u32,
        /// File of the keys.
        #[arg(long)]
        keys_file: PathBuf,
    },
    /// Remove a key. Running servers refuse it within seconds.
    Revoke {
        /// Name of the key.
        #[arg(long)]
        name: String,
        /// File of the keys.
        #[arg(long)]
        keys_file: PathBuf,
    },
}

impl ConfigArgs {
    /// Loads the configuration and its keys.
    fn load(&self) -> Result<(Config, Keys), String> {
        let flags: Map<String, Value> = match serde_json::to_value(self) {
            Ok(Value::Object(flags)) => flags,
            Ok(_) => Map::new(),
            Err(e) => return Err(format!("flags: {e}")),
        };
        let config =
            Config::load(self.config.as_deref(), flags).map_err(|errors| errors.join("\n"))?;
        let keys = match &config.keys_file {
            Some(path) => match Keys::load(path)? {
                keys if keys.is_empty() => {
                    let path = path.display();
                    return Err(format!(
                        "keys file {path}: has no key; create one with `vitrine-server keys create`, or remove `keys_file`"
                    ));
                }
                keys => keys,
            },
            None => Keys::default(),
        };
        if keys.is_empty() && !config.listen.ip().is_loopback() {
            return Err(format!(
                "{} is not a loopback address and there are no API keys; create one with \
                 `vitrine-server keys create` and pass --keys-file, or listen on 127.0.0.1",
                config.listen
            ));
        }
        Ok((config, keys))
    }
}

/// Runs a command.
///
/// # Errors
/// The command failed; the message gives the cause and a hint.
pub async fn run(cli: Cli) -> Result<ExitCode, String> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => {
            let (config, keys) = args.config.load()?;
            let traces = Traces::start(&config.telemetry)?;
            telemetry::init(&config.log, traces.as_ref())?;
            let start = serve::Start {
                address_file: args.address_file.as_deref(),
                take_over: args.take_over,
            };
            let served = serve::serve(config, keys, start).await;
            if let Some(traces) = traces {
                traces.stop();
            }
            return served;
        }
        Command::CheckConfig(args) => {
            let (config, _) = args.load()?;
            print(&toml::to_string(&config).map_err(|e| e.to_string())?)?
        }
        Command::Openapi => print(&openapi::text())?,
        Command::Backup(args) => print(&backup::backup(args).await?)?,
        Command::Snapshots(command) => print(&command.run().await?)?,
        Command::Restore(args) => print(&backup::restore(args).await?)?,
        Command::RestoreAt(args) => print(&replication::restore_at(args).await?)?,
        Command::Repair(args) => print(&backup::repair(args).await?)?,
        Command::Verify(args) => print(&backup::verify(args).await?)?,
        Command::Keys(command) => command.run()?,
    }
    Ok(ExitCode::SUCCESS)
}

impl KeysCommand {
    fn run(self) -> Result<(), String> {
        match self {
            Self::Create {
                name,
                actions,
                collections,
                expires_in_days,
                requests_per_second,
                sign_tokens,
                keys_file,
            } => {
                let failed = |e| format!("cannot read random bytes: {e}");
                let created = Key::create(name, actions, collections);
                let (mut key, mut secret) = created.map_err(failed)?;
                if sign_tokens {
                    secret = format!("{secret}\n{}", key.sign_tokens().map_err(failed)?);
                }
                let lifetime = expires_in_days.map(|days| chrono::Duration::days(days.into()));
                key.expires_at = lifetime.map(|lifetime| auth::Time(chrono::Utc::now() + lifetime));
                key.requests_per_second = requests_per_second;
                auth::append(&keys_file, key)?;
                print(&format!("{secret}\n"))
            }
            Self::List { keys_file } => {
                let lines = Keys::load(&keys_file)?.keys.into_iter().map(|key| {
                    let expires = key.expires_at.map_or("never".to_owned(), String::from);
                    let actions: Vec<_> = key.actions.iter().map(Action::name).collect();
                    let (actions, collections) = (actions.join(","), key.collections.join(","));
                    let rotates = key.rotates_until().map(String::from);
                    let rotates = rotates.map(|until| format!("\told secret until {until}"));
                    format!(
                        "{}\t{actions}\t{collections}\texpires {expires}{}\n",
                        key.name,
                        rotates.unwrap_or_default()
                    )
                });
                print(&lines.collect::<String>())
            }
            Self::Rotate {
                name,
                overlap_hours,
                keys_file,
            } => {
                let overlap = chrono::TimeDelta::hours(overlap_hours.into());
                let (secret, token_secret) = auth::rotate(&keys_file, &name, overlap)?;
                let secrets = [Some(secret), token_secret].into_iter().flatten();
                print(&secrets.map(|secret| secret + "\n").collect::<String>())
            }
            Self::Revoke { name, keys_file } => auth::revoke(&keys_file, &name),
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| format!("cannot write to standard output: {e}"))
}
