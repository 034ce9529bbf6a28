//! Report of a write: one result per item, and totals.

use vitrine_schemas::{WriteResponse, WriteResult, WriteStatus};

use crate::error::ApiError;

/// Adds the outcome of one item.
pub fn record(
    report: &mut WriteResponse,
    index: u64,
    id: Option<String>,
    outcome: Result<WriteStatus, ApiError>,
) {
    let (status, error) = match outcome {
        Ok(status) => (status, None),
        Err(error) => (WriteStatus::Rejected, Some(error)),
    };
    let (code, error) = error.map(|e| (e.code.to_owned(), e.detail)).unzip();
    report.summary.count(status);
    report.results.push(WriteResult {
        index,
        id,
        status,
        code,
        error,
    });
}
