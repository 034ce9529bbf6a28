//! Report of a write: one result per item, and totals.

use vitrine::Written;
use vitrine_schemas::{WriteResponse, WriteResult, WriteStatus};

use crate::error::ApiError;

/// Adds the outcome of one item.
pub fn record(
    report: &mut WriteResponse,
    index: u64,
    id: Option<String>,
    outcome: Result<Written, ApiError>,
) {
    let (status, embedding, error) = match outcome {
        Ok(written) => (written.status, written.embedding, None),
        Err(error) => (WriteStatus::Rejected, None, Some(error)),
    };
    let (code, error) = error.map(|e| (e.code.to_owned(), e.detail)).unzip();
    report.summary.count(status);
    if let Some(state) = &embedding {
        report.summary.embedding.count(state.status);
    }
    let (embedding, embedding_error) = match embedding {
        Some(state) => (Some(state.status), state.error),
        None => (None, None),
    };
    report.results.push(WriteResult {
        index,
        id,
        status,
        code,
        error,
        embedding,
        embedding_error,
    });
}
