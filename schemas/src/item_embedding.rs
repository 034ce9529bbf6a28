//! Embedding of written items by the server: modes, states and counts.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Choice between embedding by the server and vectors brought by the clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbedMode {
    /// The server embeds items that are written without vectors.
    #[default]
    On,
    /// The server embeds nothing; clients bring the vectors.
    Off,
}

/// State of the vectors of an item that was written without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingStatus {
    /// Stored; its vectors follow. Until then it has those of its previous version, if any.
    Pending,
    /// Embedded, or unchanged in what is embedded.
    Done,
    /// Embedded without some of its images, see `error`.
    Partial,
    /// Not embeddable, see `error`. It has no vectors until it is written again.
    Failed,
    /// Embedding is off (`embed`); it has no vectors.
    Off,
    /// The server does not have the encoders of the collection; it has no vectors.
    Unavailable,
}

/// State of the vectors of an item, with the cause of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingState {
    /// State.
    pub status: EmbeddingStatus,
    /// Cause of `failed` and `partial`, and how to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl EmbeddingState {
    /// Returns a state without a cause.
    pub fn new(status: EmbeddingStatus) -> Self {
        Self {
            status,
            error: None,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Number of written items by the state of their vectors; zero counts are absent. Items that bring
/// their vectors are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingCounts {
    /// Items whose vectors follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: u64,
    /// Embedded items.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub done: u64,
    /// Items embedded without some of their images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub partial: u64,
    /// Items that cannot be embedded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Items without vectors because embedding is off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub off: u64,
    /// Items without vectors because the server does not have the encoders.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unavailable: u64,
}

impl EmbeddingCounts {
    /// Counts one item.
    pub fn count(&mut self, status: EmbeddingStatus) {
        *match status {
            EmbeddingStatus::Pending => &mut self.pending,
            EmbeddingStatus::Done => &mut self.done,
            EmbeddingStatus::Partial => &mut self.partial,
            EmbeddingStatus::Failed => &mut self.failed,
            EmbeddingStatus::Off => &mut self.off,
            EmbeddingStatus::Unavailable => &mut self.unavailable,
        } += 1;
    }
}

impl std::ops::AddAssign for EmbeddingCounts {
    fn add_assign(&mut self, other: Self) {
        self.pending += other.pending;
        self.done += other.done;
        self.partial += other.partial;
        self.failed += other.failed;
        self.off += other.off;
        self.unavailable += other.unavailable;
    }
}

/// Items of a collection that the server has still to embed, or could not embed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingInfo {
    /// Items whose vectors follow.
    pub pending: u64,
    /// Items embedded without some of their images.
    pub partial: u64,
    /// Items that cannot be embedded.
    pub failed: u64,
}

/// Time at which a write is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// When the items are embedded, at the latest at the timeout of the request.
    Embedded,
    /// When the items are stored.
    Stored,
}

/// Query parameters of a write of items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteParams {
    /// `embedded`: answer when the items are embedded; `stored`: when they are stored. Default:
    /// a write of few items waits a moment (`embedding.wait_ms`) if few others are pending.
    #[serde(default)]
    #[param(inline)]
    pub wait: Option<WaitFor>,
    /// `off`: the server embeds nothing of this request.
    #[serde(default)]
    #[param(inline)]
    pub embed: Option<EmbedMode>,
}

/// Query parameters of the list of items that have no vectors yet, or could not be embedded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EmbeddingParams {
    /// Status to list; default: `failed`.
    #[serde(default = "failed")]
    #[param(inline)]
    pub status: EmbeddingStatus,
    /// Maximum number of items, 1 to 1000.
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: usize,
    /// `next` of the previous page.
    #[serde(default)]
    pub after: Option<u32>,
}

fn failed() -> EmbeddingStatus {
    EmbeddingStatus::Failed
}

fn hundred() -> usize {
    100
}

/// An item that is pending, or could not be embedded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingEntry {
    /// Item id.
    pub id: String,
    /// State of its vectors.
    #[serde(flatten)]
    pub state: EmbeddingState,
}

/// Items of one embedding status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingResponse {
    /// Counts of the whole collection.
    #[serde(flatten)]
    pub info: EmbeddingInfo,
    /// A page of items, in the order in which they were written.
    pub items: Vec<EmbeddingEntry>,
    /// Value of `after` for the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// Outcome of a request to embed items without vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmbedMissingResponse {
    /// Items that are pending now and were not before.
    pub added: u64,
}
