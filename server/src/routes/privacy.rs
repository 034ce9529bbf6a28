//! Privacy ledger of a private collection.

use actix_web::web::{Json, Path};
use vitrine_schemas::{LedgerParams, PrivacyLedger};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Privacy ledger
///
/// Lists the releases of a private collection, their cost, and the rest of the budget of each
/// period. Entries are never changed or removed while the collection exists, also if users are
/// erased.
#[utoipa::path(
    get, path = "/v1/collections/{c}/privacy/ledger", tag = "privacy", operation_id = "privacy_ledger",
    params(CollectionPath, LedgerParams),
    responses((status = 200, description = "Budgets and releases", body = PrivacyLedger), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn ledger(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<LedgerParams>,
) -> ApiResult<Json<PrivacyLedger>> {
    let ledger = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.privacy_ledger(&params)
    });
    Ok(Json(ledger.await?))
}
