//! The training curve: one entry for each epoch.

use serde::{Deserialize, Serialize};

use super::metrics::Quality;

/// Metrics of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Temperature at the end of the epoch.
    pub temperature: f64,
    /// Quality on the held-out pairs; absent if there are too few of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Quality>,
    /// NDCG@10 of the co-purchases of held-out users; absent if there are too few of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub co_purchases: Option<f64>,
}
