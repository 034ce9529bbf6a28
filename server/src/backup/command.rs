//! Commands: `backup`, `snapshots`, `restore`, `verify`, `repair`.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use vitrine::Database;
use vitrine_schemas::SnapshotInfo;

use super::{
    create::{blocking, create, delete_snapshot, new_id, prune_snapshots},
    replay::replay,
    repository::Repository,
    restore::{self as snapshots, Staging, open_offline},
};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Folder of the database, which no server has open.
    #[arg(long, required_unless_present = "server", conflicts_with = "server")]
    data_dir: Option<PathBuf>,
    /// Folder or URL of the backups (s3://, gs://, az://).
    #[arg(long, required_unless_present = "server", conflicts_with = "server")]
    to: Option<String>,
    /// Snapshots to keep; older ones are deleted. 0 keeps all.
    #[arg(long, default_value_t = 0)]
    keep: usize,
    /// Address of a running server, which makes a snapshot in its own `backup.target`.
    #[arg(long)]
    server: Option<String>,
    /// API key for the server.
    #[arg(long, env = "VITRINE_API_KEY")]
    api_key: Option<String>,
}

/// Snapshots of a target.
#[derive(Debug, Subcommand)]
pub enum SnapshotsCommand {
    /// List the snapshots, newest first.
    List {
        /// Folder or URL of the backups.
        #[arg(long)]
        from: String,
    },
    /// Delete a snapshot. The target must not be in use by a server; that of a running one is
    /// `DELETE /v1/snapshots/ID`.
    Delete {
        /// Folder or URL of the backups.
        #[arg(long)]
        from: String,
        /// Snapshot to delete.
        #[arg(long)]
        snapshot: String,
    },
}

impl SnapshotsCommand {
    /// Lists or deletes snapshots.
    ///
    /// # Errors
    /// The message gives the cause.
    pub async fn run(self) -> Result<String, String> {
        match self {
            Self::List { from } => {
                let manifests = Repository::open(&from)?.manifests().await?.into_iter();
                let lines = manifests.map(|(id, manifest)| match manifest {
                    Ok(manifest) => described("complete", &manifest.snapshot),
                    Err(e) => format!("damaged: snapshot {id}: {e}\n"),
                });
                Ok(lines.collect())
            }
            Self::Delete { from, snapshot } => {
                let repository = Repository::open(&from)?;
                match delete_snapshot(&repository, &snapshot).await? {
                    true => Ok(format!("deleted: snapshot {snapshot}\n")),
                    false => Err(format!(
                        "{from} has no snapshot {snapshot}; see `vitrine-server snapshots list --from {from}`"
                    )),
                }
            }
        }
    }
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Folder or URL of the backups.
    #[arg(long)]
    from: String,
    /// Snapshot to restore; the newest without it.
    #[arg(long)]
    snapshot: Option<String>,
    /// Empty or new folder for the database.
    #[arg(long)]
    data_dir: PathBuf,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Folder or URL of the backups.
    #[arg(long, required_unless_present = "data_dir")]
    from: Option<String>,
    /// Snapshot to check; the newest without it.
    #[arg(long, requires = "from")]
    snapshot: Option<String>,
    /// Folder of a database, which no server has open.
    #[arg(long, conflicts_with = "from")]
    data_dir: Option<PathBuf>,
}

/// Arguments of `repair`.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Folder of a damaged database, which no server has open. Copy it first.
    #[arg(long)]
    data_dir: PathBuf,
}

/// Repairs a data directory.
///
/// # Errors
/// The message gives the cause.
pub async fn repair(args: RepairArgs) -> Result<String, String> {
    let repair = move || Database::repair(&args.data_dir).map_err(|e| e.to_string());
    let entries = blocking(repair).await?;
    Ok(format!(
        "repaired: {entries} entries of the store are kept; compare them with your catalog, since deletions may be undone and writes may be missing\n"
    ))
}

/// Makes a snapshot.
///
/// # Errors
/// The message gives the cause and a hint.
pub async fn backup(args: BackupArgs) -> Result<String, String> {
    let snapshot = match (args.server, args.data_dir, args.to) {
        (Some(server), ..) => blocking(move || request(&server, args.api_key.as_deref())).await?,
        (None, Some(folder), Some(target)) => {
            let repository = Repository::open(&target)?;
            let open = move || {
                open_offline(&folder).map_err(|e| match e {
                    vitrine::Error::Locked(_) => {
                        format!("{e}; use `vitrine-server backup --server URL`")
                    }
                    e => e.to_string(),
                })
            };
            let database = Arc::new(blocking(open).await?);
            let snapshot = create(database.clone(), &repository, new_id()).await?;
            if args.keep > 0 {
                prune_snapshots(&repository, args.keep).await?;
            }
            snapshot
        }
        _ => return Err("expected --server, or --data-dir and --to".into()),
    };
    Ok(described("complete", &snapshot))
}

/// Asks a running server for a snapshot.
fn request(server: &str, key: Option<&str>) -> Result<SnapshotInfo, String> {
    let url = format!("{}/v1/snapshots", server.trim_end_matches('/'));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent.post(&url);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut response = request.send_empty().map_err(|e| format!("{url}: {e}"))?;
    let status = response.status();
    let text = response.body_mut().read_to_string();
    let text = text.map_err(|e| format!("{url}: {e}"))?;
    if !status.is_success() {
        return Err(format!("{url}: {status}: {text}"));
    }
    serde_json::from_str(&text).map_err(|e| format!("{url}: {e}"))
}

/// Restores a snapshot.
///
/// # Errors
/// The message gives the cause and a hint.
pub async fn restore(args: RestoreArgs) -> Result<String, String> {
    let repository = Repository::open(&args.from)?;
    let staging = Staging::begin(&args.data_dir)?;
    let id = args.snapshot.as_deref();
    let snapshot = snapshots::restore(&repository, id, staging.folder()).await?;
    let erased = replay(&repository, &snapshot, staging.folder()).await;
    let erased = erased.map_err(|e| {
        format!(
            "the snapshot was copied, but who was erased since cannot be erased from it, so the folder is not opened: {e}"
        )
    })?;
    staging.finish()?;
    let mut text = described("restored", &snapshot);
    if erased > 0 {
        text += &format!(
            "erased {erased} users and sessions again that were erased after the snapshot\n"
        );
    }
    Ok(text)
}

/// Checks a snapshot or a data directory.
///
/// # Errors
/// The message names what is damaged.
pub async fn verify(args: VerifyArgs) -> Result<String, String> {
    if let Some(folder) = args.data_dir {
        let check = move || Database::verify_closed(&folder).map_err(|e| e.to_string());
        let found = blocking(check).await?;
        let mut text = format!(
            "whole: {} entries of the store, {} segments\n",
            found.entries, found.segments
        );
        for (file, cause) in &found.damaged_segments {
            text += &format!("damaged, to be built again at the next start: {file}: {cause}\n");
        }
        for (file, cause) in &found.damaged_states {
            text += &format!("damaged, the next start reads all records: {file}: {cause}\n");
        }
        return Ok(text);
    }
    let target = args.from.ok_or("expected --from or --data-dir")?;
    let repository = Repository::open(&target)?;
    let snapshot = snapshots::verify(&repository, args.snapshot.as_deref()).await?;
    Ok(described("whole", &snapshot))
}

fn described(what: &str, snapshot: &SnapshotInfo) -> String {
    format!(
        "{what}: snapshot {} of {}, {} files, {} bytes, {} copied\n",
        snapshot.id, snapshot.created_at, snapshot.files, snapshot.bytes, snapshot.copied_bytes
    )
}
