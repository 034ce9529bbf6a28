//! Suggestions while a query is typed.

use actix_web::web::{Json, Path};
use vitrine_schemas::{SuggestParams, SuggestResponse};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Suggest
///
/// Completes a text that is being typed: popular queries, categories, brands and phrases of titles,
/// best first. Typos in the text are tolerated, accents are ignored, and a suggestion may begin at
/// any of its words. They are built in the background, at most seconds after a change of a small
/// collection; a query is suggested once `suggest.min_users` users searched for it.
#[utoipa::path(
    get, path = "/v1/collections/{c}/suggest", tag = "search", operation_id = "suggest",
    params(CollectionPath, SuggestParams),
    responses((status = 200, description = "Suggestions, best first", body = SuggestResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn suggest(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SuggestParams>,
) -> ApiResult<Json<SuggestResponse>> {
    let work = context.read(move |database| database.collection(&path.c)?.suggest(&params));
    Ok(Json(work.await?))
}
