//! Replay of the log of a state in a restored data directory.

use std::path::Path;

use super::{state::State, store::StateStore};
use crate::backup::{blocking, open_offline};

/// Repeats the writes since the files of a state in the data directory that these were restored to.
///
/// # Errors
/// A slice of the log is missing or damaged, or the database cannot be opened or written.
pub(super) async fn replay_log(
    store: &StateStore,
    state: &State,
    folder: &Path,
) -> Result<(), String> {
    let folder = folder.to_owned();
    let open = move || open_offline(&folder).map_err(|e| e.to_string());
    let mut database = blocking(open).await?;
    for entry in &state.log {
        let mut slice = Vec::new();
        let read = store
            .repository
            .download(&entry.blake3, entry.bytes, |part| {
                slice.extend_from_slice(part);
                Ok(())
            });
        read.await?;
        database = blocking(move || {
            let replayed = database.replay(&slice);
            replayed.map(|()| database).map_err(|e| e.to_string())
        })
        .await?;
    }
    blocking(move || database.close().map_err(|e| e.to_string())).await
}
