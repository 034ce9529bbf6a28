//! What became of written items: one result an item, and totals.

use vitrine_schemas::{WriteResponse, WriteResult, WriteStatus};

use crate::error::ApiError;

/// Adds the outcome of one item.
pub fn record(
    report: &mut WriteResponse,
    index: u64,
    id: Option<String>,
    outcome: Result<WriteStatus, ApiError>,
) {
    let (status, fault) = match outcome {
        Ok(status) => (status, None),
        Err(error) => (WriteStatus::Rejected, Some(error)),
    };
    let (code, error) = fault.map(|f| (f.code.to_owned(), f.detail)).unzip();
    report.summary.count(status);
    report.results.push(WriteResult {
        index,
        id,
        status,
        code,
        error,
    });
}
