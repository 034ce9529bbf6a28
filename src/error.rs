//! The engine's error type. Errors of the caller have stable codes and are kept apart from failures
//! of the machine.

use std::path::{Path, PathBuf};

use vitrine_schemas::FieldError;

/// Everything that can go wrong in the engine. [`Error::code`] is stable for programs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Invalid input; names each field and the fix.
    #[error("{}", join(.0))]
    Invalid(Vec<FieldError>),
    /// No such collection or alias.
    #[error("collection `{0}` does not exist; PUT /v1/collections/{0} creates it")]
    CollectionNotFound(String),
    /// The name is taken by a collection or an alias.
    #[error("`{0}` already exists")]
    AlreadyExists(String),
    /// No such item.
    #[error("item `{0}` does not exist")]
    ItemNotFound(String),
    /// The rule, synonym or other setting does not exist.
    #[error("{kind} `{id}` does not exist; {}", listed(.known))]
    SettingNotFound {
        /// Kind of the setting.
        kind: &'static str,
        /// Id.
        id: String,
        /// Ids that exist, the first few.
        known: Vec<String>,
    },
    /// There is no model or ranker of this version.
    #[error("no {kind} {version}; stored versions: {stored}")]
    VersionNotFound {
        /// `model` or `ranker`.
        kind: &'static str,
        /// Version.
        version: u64,
        /// Versions that exist, or `none`.
        stored: String,
    },
    /// Something else is stored than the change requires.
    #[error(
        "the stored version does not meet the condition: expected {expected}, got {found}; read it again, and repeat the change with its tag"
    )]
    PreconditionFailed {
        /// Tags that the change allows.
        expected: String,
        /// Tag of the stored version.
        found: String,
    },
    /// The item has no vector in the space.
    #[error("item `{id}` has no vector in space `{space}`")]
    NoVector {
        /// Item id.
        id: String,
        /// Vector space.
        space: String,
    },
    /// Vectors of another encoder; mixing spaces makes every score meaningless.
    #[error(
        "vectors carry fingerprint `{found}`, the collection has `{expected}`: embed them with the same models or use a new collection"
    )]
    FingerprintMismatch {
        /// Fingerprint of the collection.
        expected: String,
        /// Fingerprint sent.
        found: String,
    },
    /// No re-embedding of the collection is under way.
    #[error("no re-embedding is under way; POST /v1/collections/{{c}}/reembedding begins one")]
    NoReembedding,
    /// Another re-embedding is under way; its fingerprint.
    #[error(
        "a re-embedding to or from fingerprint `{0}` is under way; end it first (DELETE /v1/collections/{{c}}/reembedding)"
    )]
    ReembeddingExists(String),
    /// The privacy budget of a private collection allows no release now.
    #[error(
        "the privacy budget of the period that ends at {period_to} is spent; the next release follows its end"
    )]
    PrivacyBudgetSpent {
        /// End of the period, RFC 3339.
        period_to: String,
    },
    /// A private collection does not answer this.
    #[error("the collection is private: {0}")]
    PrivateCollection(String),
    /// Searches would lose items by a switch or a rollback.
    #[error(
        "searches would not find {pending} items that have yet to be embedded and {left_out} that cannot be; embed them, or send force=true"
    )]
    NotReembedded {
        /// Items to be embedded.
        pending: u64,
        /// Items that cannot be.
        left_out: u64,
    },
    /// The data directory was written by a version this one cannot read.
    #[error(
        "data directory {} has format {found}, this version reads format {supported}: use the version that wrote it", path.display()
    )]
    UnsupportedFormat {
        /// Data directory.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Version supported.
        supported: u32,
    },
    /// The data directory cannot be opened as it is. Nothing in it was changed.
    #[error(
        "data directory {} is damaged: {detail}. Nothing in it was changed. Restore a backup into an empty folder (`vitrine-server restore`), or keep what can be read (`vitrine-server repair`, after a copy of the directory)", path.display()
    )]
    DamagedDirectory {
        /// Data directory.
        path: PathBuf,
        /// Cause.
        detail: String,
    },
    /// Stored data cannot be read: a checksum does not match, or a file is missing.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// A collection was not opened because of damaged data; others are served.
    #[error(
        "collection `{name}` is not open, because of damaged data: {detail}. Restore a backup, or drop the collection and write it again"
    )]
    CollectionDamaged {
        /// Name of the collection.
        name: String,
        /// Cause.
        detail: String,
    },
    /// Writes fail, for the reason given, until the store is opened again.
    #[error(
        "writes fail since {since}: {reason}; they resume without a restart once the cause is gone"
    )]
    WritesFail {
        /// Message of the first failure.
        reason: String,
        /// Time of the first failure, RFC 3339.
        since: String,
    },
    /// Another process has the directory open.
    #[error("data directory {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The operation exceeded its deadline.
    #[error("the deadline passed before the operation was done")]
    DeadlineExceeded,
    /// The embedder failed or is not loaded.
    #[error(transparent)]
    Embed(#[from] crate::embedder::EmbedError),
    /// A stored record cannot be read.
    #[error("corrupt record in {column}: {detail}")]
    Corrupt {
        /// Column family.
        column: &'static str,
        /// Cause.
        detail: String,
    },
    /// The operation was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The system has no memory left for an index.
    #[error("no memory for {bytes} bytes: {detail}")]
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
        /// Message of the system.
        detail: String,
    },
    /// A write would exceed the memory limit of the database.
    #[error(
        "limits.memory_bytes is {limit} and {used} bytes are in use: a write of {wanted} exceeds it by {}; delete items, drop a collection or raise the limit. Nothing of this write was stored",
        excess(*used, *wanted, *limit)
    )]
    MemoryFull {
        /// Maximum bytes of memory.
        limit: u64,
        /// Bytes in use.
        used: u64,
        /// Bytes of the write.
        wanted: u64,
    },
    /// As [`Error::MemoryFull`], but the indexes are being sealed, which frees enough.
    #[error(
        "limits.memory_bytes is {limit} and {used} bytes are in use: a write of {wanted} exceeds it by {} until new vectors are sealed, which leaves {settled} in use; retry soon. Nothing of this write was stored",
        excess(*used, *wanted, *limit)
    )]
    MemoryFullUntilSealed {
        /// Maximum bytes of memory.
        limit: u64,
        /// Bytes in use.
        used: u64,
        /// Bytes in use once everything is sealed.
        settled: u64,
        /// Bytes of the write.
        wanted: u64,
    },
    /// A write would leave less of the disk free than the reserve.
    #[error(
        "{free} bytes of the disk are free, a write of {wanted} would leave less than limits.disk_reserve_bytes, {reserve}: {} bytes are missing; free some of the disk or lower the reserve. Nothing of this write was stored",
        excess(*reserve, *wanted, *free)
    )]
    DiskFull {
        /// Bytes of the disk that must stay free.
        reserve: u64,
        /// Bytes free.
        free: u64,
        /// Approximate bytes of the write.
        wanted: u64,
    },
    /// The full-text index failed; it is rebuilt from the records at the next start at the latest.
    #[error("lexical index: {0}")]
    Lexical(#[from] crate::lexical::LexicalError),
    /// RocksDB failed.
    #[error("storage: {0}")]
    Storage(String),
    /// Input or output failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns an [`Error::Invalid`] for one field.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// Returns an [`Error::VersionNotFound`].
    pub(crate) fn no_version<'a>(
        kind: &'static str,
        version: u64,
        stored: impl Iterator<Item = &'a u64>,
    ) -> Self {
        let stored: Vec<_> = stored.map(u64::to_string).collect();
        Self::VersionNotFound {
            kind,
            version,
            stored: match stored.is_empty() {
                true => "none".to_owned(),
                false => stored.join(", "),
            },
        }
    }

    /// Returns an [`Error::DamagedDirectory`].
    pub(crate) fn damaged_directory(path: &Path, detail: impl Into<String>) -> Self {
        Self::DamagedDirectory {
            path: path.to_path_buf(),
            detail: detail.into(),
        }
    }

    /// Returns true if stored data is damaged, so that trying again does not help.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Corrupt { .. })
    }

    /// Prefixes every pointer with `field`: a check of a nested value does not know its place.
    pub(crate) fn under(mut self, field: &str) -> Self {
        if let Self::Invalid(errors) = &mut self {
            for e in errors {
                e.pointer.insert_str(0, field);
            }
        }
        self
    }

    /// Returns the stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_argument",
            Self::CollectionNotFound(_) => "collection_not_found",
            Self::AlreadyExists(_) => "already_exists",
            Self::ItemNotFound(_) => "item_not_found",
            Self::SettingNotFound { .. } => "setting_not_found",
            Self::VersionNotFound { .. } => "version_not_found",
            Self::PreconditionFailed { .. } => "precondition_failed",
            Self::NoVector { .. } => "no_vector",
            Self::FingerprintMismatch { .. } => "fingerprint_mismatch",
            Self::NoReembedding => "reembedding_not_found",
            Self::ReembeddingExists(_) => "reembedding_exists",
            Self::NotReembedded { .. } => "reembedding_incomplete",
            Self::PrivacyBudgetSpent { .. } => "privacy_budget_spent",
            Self::PrivateCollection(_) => "private_collection",
            Self::UnsupportedFormat { .. } => "unsupported_format",
            Self::DamagedDirectory { .. } => "damaged_directory",
            Self::Damaged(_) => "damaged",
            Self::CollectionDamaged { .. } => "collection_damaged",
            Self::WritesFail { .. } => "writes_fail",
            Self::Locked(_) => "locked",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Embed(e) => e.code(),
            Self::Cancelled => "cancelled",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::MemoryFull { .. } => "memory_full",
            Self::MemoryFullUntilSealed { .. } => "memory_full_until_sealed",
            Self::DiskFull { .. } => "disk_full",
            Self::Corrupt { .. } => "corrupt_record",
            Self::Lexical(_) => "lexical",
            Self::Storage(_) => "storage",
            Self::Io { .. } => "io",
        }
    }

    /// Returns true if a write was refused for lack of memory or disk. Nothing of it was stored.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::MemoryFull { .. } | Self::MemoryFullUntilSealed { .. } | Self::DiskFull { .. }
        )
    }

    /// Returns true if the caller can fix it, false for a failure of the machine.
    pub fn is_user(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::CollectionNotFound(_)
            | Self::AlreadyExists(_)
            | Self::ItemNotFound(_)
            | Self::SettingNotFound { .. }
            | Self::VersionNotFound { .. }
            | Self::PreconditionFailed { .. }
            | Self::NoVector { .. }
            | Self::FingerprintMismatch { .. }
            | Self::NoReembedding
            | Self::ReembeddingExists(_)
            | Self::NotReembedded { .. }
            | Self::PrivacyBudgetSpent { .. }
            | Self::PrivateCollection(_) => true,
            Self::Embed(e) => e.is_user(),
            Self::UnsupportedFormat { .. }
            | Self::DamagedDirectory { .. }
            | Self::Damaged(_)
            | Self::CollectionDamaged { .. }
            | Self::WritesFail { .. }
            | Self::Locked(_)
            | Self::DeadlineExceeded
            | Self::Cancelled
            | Self::OutOfMemory { .. }
            | Self::MemoryFull { .. }
            | Self::MemoryFullUntilSealed { .. }
            | Self::DiskFull { .. }
            | Self::Corrupt { .. }
            | Self::Lexical(_)
            | Self::Storage(_)
            | Self::Io { .. } => false,
        }
    }
}

fn excess(taken: u64, wanted: u64, limit: u64) -> u64 {
    taken.saturating_add(wanted).saturating_sub(limit)
}

fn listed(known: &[String]) -> String {
    match known {
        [] => "none exist".to_owned(),
        known => format!("existing: {}", known.join(", ")),
    }
}

fn join(errors: &[FieldError]) -> String {
    let lines: Vec<_> = errors
        .iter()
        .map(|e| match e.pointer.as_str() {
            "" => e.detail.clone(),
            pointer => format!("{pointer}: {}", e.detail),
        })
        .collect();
    lines.join("; ")
}
/// Returns the JSON pointer (RFC 6901) of a path in a document.
pub fn json_pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            // Externally tagged variants are keys in JSON: `{"query": {"vector": ...}}`.
            Segment::Map { key } | Segment::Enum { variant: key } => {
                Some(format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Unknown => None,
        })
        .collect()
}
