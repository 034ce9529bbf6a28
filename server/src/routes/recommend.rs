//! Recommendations from behaviour and content.

use actix_web::web::{Json, Path, Query as Params};
use vitrine_schemas::{
    BlendInfo, BoughtTogetherParams, BoughtTogetherResponse, PopularParams, PopularResponse,
    RecommendRequest, RecommendResponse,
};

use super::{CollectionPath, ItemPath};
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Named},
};

/// Recommend
///
/// For a user, a visit or some items, from what the same people touched, from content and from what is popular; each hit
/// says what contributed and why. Always gives min(limit, items that match and are not excluded) hits. Items that were
/// hidden or rejected never come back; nor, unless asked, what is out of stock or was touched before.
#[utoipa::path(
    post, path = "/v1/collections/{c}/recommend", tag = "recommendations", operation_id = "recommend",
    params(CollectionPath),
    request_body(content = RecommendRequest, examples(
        ("for a user" = (value = json!({"user": "u1", "filter": "price <= 300", "limit": 5}))),
        ("from items" = (value = json!({"positives": [{"id": "SKU1", "weight": 3.0}], "negatives": ["SKU2"]})))
    )),
    responses((status = 200, description = "Best first", body = RecommendResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn recommend(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<RecommendRequest>,
) -> ApiResult<Json<RecommendResponse>> {
    let deadline = call.deadline();
    let answer = call.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.recommend(&body.0, Some(deadline))
    });
    Ok(Json(answer.await?))
}

/// Bought together
///
/// Items that the same people bought on the same day as this one.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/bought_together", tag = "recommendations",
    operation_id = "bought_together",
    params(ItemPath, BoughtTogetherParams),
    responses((status = 200, description = "Best first", body = BoughtTogetherResponse), Keyed, Gated, Named),
)]
pub async fn bought_together(
    call: Call,
    path: Path<ItemPath>,
    params: Params<BoughtTogetherParams>,
) -> ApiResult<Json<BoughtTogetherResponse>> {
    let answer = call.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.bought_together(&path.id, &params)
    });
    Ok(Json(answer.await?))
}

/// Popular
///
/// What most was done with in a window of time, the latest counting most; in a category, or all. Hidden, expired and,
/// unless asked for, sold out items are left out.
#[utoipa::path(
    get, path = "/v1/collections/{c}/popular", tag = "recommendations", operation_id = "popular",
    params(CollectionPath, PopularParams),
    responses((status = 200, description = "Best first", body = PopularResponse), Keyed, Gated, Named),
)]
pub async fn popular(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<PopularParams>,
) -> ApiResult<Json<PopularResponse>> {
    let answer = call.read(move |database| database.collection(&path.c)?.popular(&params));
    Ok(Json(answer.await?))
}

/// Train the blend
///
/// Learns how behaviour, content and popularity are joined in one ranking: models are fitted to the earlier events, the
/// blend to what people chose later. It is used only where it beats rank fusion and every source alone on people it was
/// not learned from; `promoted` says so.
#[utoipa::path(
    post, path = "/v1/collections/{c}/train/blend", tag = "recommendations", operation_id = "train_blend",
    params(CollectionPath),
    responses((status = 200, description = "What was learned and how good it is", body = BlendInfo), Keyed, Gated, Bodied, Named),
)]
pub async fn train_blend(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<BlendInfo>> {
    let info = call.write(move |database| database.collection(&path.c)?.train_blend());
    Ok(Json(info.await?))
}
