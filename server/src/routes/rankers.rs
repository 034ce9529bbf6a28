//! Rankers: stored, activated, rolled back, and the features they are trained on.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Json, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_schemas::{
    RankerInfo, RankerResponse, RankerUpload, RankersResponse, RankingFeatures, SearchRequest,
};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConflictErrors, EncoderErrors, NotFoundErrors, OverloadErrors,
        },
    },
};

/// Path parameters of a ranker.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RankerPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Ranker version.
    pub version: u64,
}

/// List rankers
///
/// Lists the stored rankers with their training data and their quality on held-out queries.
#[utoipa::path(
    get, path = "/v1/collections/{c}/rankers", tag = "models", operation_id = "list_rankers",
    params(CollectionPath),
    responses((status = 200, description = "Rankers, newest first", body = RankersResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<RankersResponse>> {
    let rankers = context.read(move |database| Ok(database.collection(&path.c)?.rankers()));
    Ok(Json(rankers.await?))
}

/// Store a ranker
///
/// Stores a ranker trained by `vitrine-indexer train rank`. It is activated if it was promoted: the
/// interval of its gain on held-out queries is above 0.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rankers", tag = "models", operation_id = "store_ranker",
    params(CollectionPath),
    request_body = RankerUpload,
    responses(
        (status = 201, description = "The stored ranker", body = RankerInfo),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors,
    ),
)]
pub async fn store(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<RankerUpload>,
) -> ApiResult<HttpResponse> {
    let info = context
        .write(move |database| database.collection(&path.c)?.add_ranker(&body.0))
        .await?;
    Ok(HttpResponse::build(StatusCode::CREATED).json(info))
}

/// Get a ranker
#[utoipa::path(
    get, path = "/v1/collections/{c}/rankers/{version}", tag = "models", operation_id = "get_ranker",
    params(RankerPath),
    responses((status = 200, description = "The ranker with its ranking function", body = RankerResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<RankerPath>,
) -> ApiResult<Json<RankerResponse>> {
    let ranker = context.read(move |database| database.collection(&path.c)?.ranker(path.version));
    Ok(Json(ranker.await?))
}

/// Delete a ranker
///
/// If it is the active one, the one that was active before takes its place.
#[utoipa::path(
    delete, path = "/v1/collections/{c}/rankers/{version}", tag = "models", operation_id = "delete_ranker",
    params(RankerPath),
    responses((status = 204, description = "Deleted"), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<RankerPath>) -> ApiResult<HttpResponse> {
    context
        .write(move |database| database.collection(&path.c)?.delete_ranker(path.version))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Activate a ranker
///
/// Ranks searches by a stored ranker, also by one that was not promoted.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rankers/{version}/activate", tag = "models", operation_id = "activate_ranker",
    params(RankerPath),
    responses((status = 200, description = "The active ranker", body = RankerInfo), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn activate(
    context: RequestContext,
    path: Path<RankerPath>,
) -> ApiResult<Json<RankerInfo>> {
    let info = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.activate_ranker(path.version)
    });
    Ok(Json(info.await?))
}

/// Roll back the ranker
///
/// Activates the ranker that was active before, or none if there was none.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rankers/rollback", tag = "models", operation_id = "roll_back_ranker",
    params(CollectionPath),
    responses((status = 200, description = "Rankers, newest first", body = RankersResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn roll_back(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<RankersResponse>> {
    let rankers = context.write(move |database| database.collection(&path.c)?.roll_back_ranker());
    Ok(Json(rankers.await?))
}

/// Get ranking features
///
/// Returns the first `limit` candidates of a search by text, before rules and reranking, with the
/// features that a ranker sees. Training reads them.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rankers/features", tag = "models", operation_id = "ranking_features",
    params(CollectionPath),
    request_body(content = SearchRequest, example = json!({"query": {"text": "red running shoes"}, "limit": 100})),
    responses(
        (status = 200, description = "Candidates, best first", body = RankingFeatures),
        AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, ConflictErrors, EncoderErrors,
    ),
)]
pub async fn features(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<SearchRequest>,
) -> ApiResult<Json<RankingFeatures>> {
    let features = crate::search::features::features(&context, &path.c, body.0);
    Ok(Json(features.await?))
}
