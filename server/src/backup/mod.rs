//! Backups: snapshots of a database in a folder or an object store (S3, GCS, Azure).
//!
//! A target holds the files of all its snapshots by the hash of their content, so a file that did
//! not change is copied once, and one manifest per snapshot, which is written last:
//!
//! ```text
//! objects/4f/4f1c...      a file, by its BLAKE3 hash
//! snapshots/ID.json       names, sizes and hashes of the files of a snapshot
//! erasures/TIME-ID.json   a user or session that was erased, as a hash
//! ```

mod command;
mod create;
mod erasures;
mod manifest;
mod replay;
mod repository;
mod restore;
mod service;
mod settings;

pub use self::{
    command::{
        BackupArgs, RepairArgs, RestoreArgs, SnapshotsCommand, VerifyArgs, backup, repair, restore,
        verify,
    },
    create::{create, delete_snapshot, prune_snapshots},
    erasures::Erasure,
    manifest::{FileEntry, Manifest},
    replay::replay,
    repository::Repository,
    restore::{restore as restore_snapshot, verify as verify_snapshot},
    service::Backups,
    settings::BackupSettings,
};
pub(crate) use self::{
    create::{Checkpoint, blocking, hash},
    restore::{Staging, fetch, make_folder, open_offline, restore_files},
};
