//! Restoring of the database as of an earlier time, from the states of the store.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use vitrine_schemas::SnapshotInfo;

use super::{replay::replay_log, state::State, store::StateStore};
use crate::backup::{Repository, Staging, replay, restore_files};

/// Arguments of `restore-at`.
#[derive(Debug, Args)]
pub struct RestoreAtArgs {
    /// Folder or URL of the states (`replication.store`).
    #[arg(long)]
    pub(super) store: String,
    /// Time to restore, such as 2027-01-31T12:00:00Z: the newest state at or before it.
    #[arg(long)]
    pub(super) at: DateTime<Utc>,
    /// Empty or new folder for the database.
    #[arg(long)]
    pub(super) data_dir: PathBuf,
    /// Folder or URL of the backups (`backup.target`), which has the list of erased users.
    #[arg(long)]
    pub(super) erasures_from: Option<String>,
}

/// Restores the newest state at or before a time.
///
/// # Errors
/// The message gives the cause and a hint.
pub async fn restore_at(args: RestoreAtArgs) -> Result<String, String> {
    let store = StateStore::open(&args.store)?;
    let erasures = args.erasures_from.as_deref().map(Repository::open);
    let erasures = erasures.transpose()?;
    let state = state_at(&store, args.at).await?;
    let staging = Staging::begin(&args.data_dir)?;
    restore_files(&store.repository, &state.files, staging.folder()).await?;
    let erased = complete(&store, &state, staging.folder(), erasures.as_ref()).await;
    let erased = erased.map_err(|e| {
        format!(
            "state {} was copied, but not completed, so the folder is not opened: {e}",
            state.number
        )
    })?;
    staging.finish()?;
    let erased = match erased {
        Some(erased) => format!("erased {erased} users and sessions again that were erased since"),
        None => "users and sessions that were erased since are back: erase them again, or restore with --erasures-from".into(),
    };
    Ok(format!(
        "restored: state {} of {}, {} files, {} slices of the log\n{erased}\n",
        state.number,
        state.as_of.to_rfc3339(),
        state.files.len(),
        state.log.len()
    ))
}

/// Returns the newest state at or before a time. The states of a chain are in the order of time.
async fn state_at(store: &StateStore, at: DateTime<Utc>) -> Result<State, String> {
    let numbers = store.numbers().await?;
    let read = async |place: usize| {
        let number = numbers[place].0;
        let state = store.read(number).await?;
        state.ok_or(format!(
            "state {number} was removed while it was read; try again"
        ))
    };
    let (mut from, mut to) = (0, numbers.len());
    while from < to {
        let middle = from.midpoint(to);
        let state = read(middle).await?;
        match state.read_at.unwrap_or(state.as_of) <= at {
            true => to = middle,
            false => from = middle + 1,
        }
    }
    for place in from..numbers.len() {
        let state = read(place).await?;
        // A writer begins with a state without files.
        if !state.files.is_empty() {
            return Ok(state);
        }
    }
    let oldest = match numbers.len() {
        0 => "it has none".to_owned(),
        count => format!(
            "its oldest one is of {}",
            read(count - 1).await?.as_of.to_rfc3339()
        ),
    };
    Err(format!(
        "expected a state of {} or before in {}; {oldest}",
        at.to_rfc3339(),
        store.repository.target()
    ))
}

/// Repeats the writes since the files of a state, and the erasures since the state; returns the
/// number of these, or None without a list.
async fn complete(
    store: &StateStore,
    state: &State,
    folder: &Path,
    erasures: Option<&Repository>,
) -> Result<Option<u64>, String> {
    replay_log(store, state, folder).await?;
    let Some(erasures) = erasures else {
        return Ok(None);
    };
    let as_of = SnapshotInfo {
        database: state.database.clone(),
        created_at: state.as_of.to_rfc3339(),
        ..SnapshotInfo::default()
    };
    replay(erasures, &as_of, folder).await.map(Some)
}
