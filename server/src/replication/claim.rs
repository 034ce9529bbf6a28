//! Start of a writer: it takes the next epoch by adding a state to the chain, which ends the
//! publishing of any other writer.

use std::{fs, path::Path};

use super::{mark::Mark, replay::replay_log, state::State, store::StateStore};
use crate::backup::restore_files;

/// Attempts to take an epoch while another writer publishes.
const ATTEMPTS: usize = 20;

/// Epoch of a writer, and the state that it continues.
#[derive(Debug)]
pub struct Claim {
    /// Its epoch.
    pub epoch: u64,
    /// The state that took it, with the files of the one before.
    pub last: State,
}

impl Claim {
    /// Marks a data directory, once its database is open, as that of this writer.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn mark(&self, folder: &Path) -> Result<(), String> {
        Mark::write(folder, &self.last, None)
    }
}

/// Takes the next epoch, before the database of `folder` is opened; after that, [`Claim::mark`] is
/// due. The newest state must have been published from this folder. With `take_over`, the folder
/// must be empty, and is filled with the newest state, if that has files.
///
/// # Errors
/// Another writer published the newest state, the store cannot be used, or the folder not be
/// filled.
pub async fn claim(store: &StateStore, folder: &Path, take_over: bool) -> Result<Claim, String> {
    for _ in 0..ATTEMPTS {
        let numbers = store.numbers().await?;
        let newest = numbers.first().map_or(0, |(number, _)| *number);
        let before = readable(store, &numbers).await?;
        let takes_over = before.number > 0 && !is_ours(folder, &before)?;
        // A state without files is that of a writer that published nothing yet.
        let is_restored = takes_over && !before.files.is_empty();
        check(store, folder, &before, takes_over, take_over)?;
        let claimed = State {
            number: newest + 1,
            // Later than all before, also if the newest state cannot be read.
            epoch: newest + 1,
            ..before.clone()
        };
        if !is_restored && !is_empty(folder)? {
            Mark::extend(folder, &before, &claimed)?;
        }
        if !store.add(&claimed).await? {
            continue;
        }
        if takes_over {
            tracing::warn!(
                epoch = claimed.epoch,
                state = claimed.number,
                "taking over from another writer"
            );
        }
        let claim = Claim {
            epoch: claimed.epoch,
            last: claimed,
        };
        if is_restored {
            restore_files(&store.repository, &claim.last.files, folder).await?;
            replay_log(store, &claim.last, folder).await?;
            claim.mark(folder)?;
        }
        return Ok(claim);
    }
    Err(format!(
        "{}: another writer keeps publishing; stop it first",
        store.repository.target()
    ))
}

/// Returns the newest state that can be read; a damaged one is logged and skipped. An empty store
/// has a state without files.
async fn readable<T>(store: &StateStore, numbers: &[(u64, T)]) -> Result<State, String> {
    let mut error = None;
    for (number, _) in numbers {
        match store.read(*number).await {
            Ok(Some(state)) => return Ok(state),
            Ok(None) => {}
            Err(e) => {
                tracing::error!("skipped: {e}");
                error = Some(format!(
                    "{e}; no state can be read: use another replication.store"
                ));
            }
        }
    }
    error.map_or_else(|| Ok(State::first()), Err)
}

/// Returns true if the folder has a database from which a state was published last.
fn is_ours(folder: &Path, state: &State) -> Result<bool, String> {
    Ok(!is_empty(folder)? && Mark::read(folder)?.has(state)?)
}

fn check(
    store: &StateStore,
    folder: &Path,
    newest: &State,
    takes_over: bool,
    may_take_over: bool,
) -> Result<(), String> {
    if !takes_over {
        return Ok(());
    }
    let target = store.repository.target();
    let folder_name = folder.display();
    let (number, epoch, at) = (newest.number, newest.epoch, newest.as_of.to_rfc3339());
    if !may_take_over {
        if newest.files.is_empty() {
            return Err(format!(
                "replication.store {target}: another writer took it (epoch {epoch}, {at}) and published nothing yet. Start that one, which is not of {folder_name}; or, to replace it, start with --take-over; or use another store"
            ));
        }
        return Err(format!(
            "replication.store {target}: another writer published state {number} (epoch {epoch}, {at}), which is not of {folder_name}. To replace that writer, start with --take-over and an empty data directory; for a database of its own, use another store"
        ));
    }
    if !newest.files.is_empty() && !is_empty(folder)? {
        return Err(format!(
            "--take-over: expected an empty or new data directory, to be filled with state {number} of {target}, got {folder_name}, which lacks what the other writer published; move it away"
        ));
    }
    Ok(())
}

fn is_empty(folder: &Path) -> Result<bool, String> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(format!("{}: {e}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_claim_without_files_belongs_to_the_folder_that_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let store = StateStore::open(&path("store").to_string_lossy()).unwrap();
        let first = claim(&store, &path("a"), false).await.unwrap();
        fs::create_dir(path("a")).unwrap();
        first.mark(&path("a")).unwrap();
        fs::create_dir(path("b")).unwrap();
        fs::write(path("b").join("database"), "").unwrap();
        for other in ["b", "c"] {
            let refused = claim(&store, &path(other), false).await.unwrap_err();
            assert!(refused.contains("--take-over"), "{refused}");
        }
        let again = claim(&store, &path("a"), false).await.unwrap();
        assert_eq!(again.epoch, first.epoch + 1);
        // Nothing is lost, so the folder need not be empty.
        let other = claim(&store, &path("b"), true).await.unwrap();
        assert_eq!(other.epoch, again.epoch + 1);
        assert!(claim(&store, &path("a"), false).await.is_err());
        assert!(claim(&store, &path("b"), false).await.is_ok());
    }
}
