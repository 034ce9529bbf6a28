//! Recommendations from behavior and content.

use actix_web::web::{Json, Path};
use vitrine_schemas::{
    BlendInfo, BoughtTogetherParams, BoughtTogetherResponse, PopularParams, PopularResponse,
    RecommendRequest, RecommendResponse,
};

use super::{CollectionPath, ItemPath};
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Recommend
///
/// Recommends items for a user, a session or given items, from behavior, content and popularity.
/// Each hit has the contribution of each source and a reason. Always returns min(limit, eligible
/// items) hits. Hidden and disliked items are never recommended; items that are out of stock or
/// that the user interacted with before only on request.
#[utoipa::path(
    post, path = "/v1/collections/{c}/recommend", tag = "recommendations", operation_id = "recommend",
    params(CollectionPath),
    request_body(content = RecommendRequest, examples(
        ("for a user" = (value = json!({"user": "u1", "filter": "price <= 300", "limit": 5}))),
        ("from items" = (value = json!({"positives": [{"id": "SKU1", "weight": 3.0}], "negatives": ["SKU2"]})))
    )),
    responses((status = 200, description = "Hits, best first", body = RecommendResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn recommend(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<RecommendRequest>,
) -> ApiResult<Json<RecommendResponse>> {
    let deadline = context.deadline();
    let mut request = body.0;
    context.restrict_shopper(&mut request.user, &mut request.session)?;
    context.restrict_filter(&mut request.filter)?;
    let visibility = context.visibility();
    let answer = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        for named in [&mut request.positives, &mut request.negatives] {
            visibility.retain(&collection, named)?;
        }
        let mut answer = collection.recommend(&request, Some(deadline))?;
        visibility.redact(
            &collection,
            answer.hits.iter_mut().map(|hit| &mut hit.reason),
        )?;
        Ok(answer)
    });
    Ok(Json(answer.await?))
}

/// Bought together
///
/// Returns items that the same users bought on the same day as this one.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/bought_together", tag = "recommendations",
    operation_id = "bought_together",
    params(ItemPath, BoughtTogetherParams),
    responses((status = 200, description = "Hits, best first", body = BoughtTogetherResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn bought_together(
    context: RequestContext,
    path: Path<ItemPath>,
    params: Params<BoughtTogetherParams>,
) -> ApiResult<Json<BoughtTogetherResponse>> {
    let mut params = params.0;
    context.restrict_text_filter(&mut params.filter)?;
    let visibility = context.visibility();
    let answer = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        visibility.check(&collection, &path.id)?;
        collection.bought_together(&path.id, &params)
    });
    Ok(Json(answer.await?))
}

/// Popular
///
/// Returns the items with the most events in a time window, recent events counting more, of all
/// categories or of one. Hidden and expired items are excluded, as are, by default, items that are
/// out of stock.
#[utoipa::path(
    get, path = "/v1/collections/{c}/popular", tag = "recommendations", operation_id = "popular",
    params(CollectionPath, PopularParams),
    responses((status = 200, description = "Hits, best first", body = PopularResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn popular(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<PopularParams>,
) -> ApiResult<Json<PopularResponse>> {
    let mut params = params.0;
    context.restrict_text_filter(&mut params.filter)?;
    let answer = context.read(move |database| database.collection(&path.c)?.popular(&params));
    Ok(Json(answer.await?))
}

/// Train the blend
///
/// Learns the weights of behavior, content and popularity in the ranking: models are fitted to the
/// earlier events, the blend to the later choices. The blend is used only if it beats rank fusion
/// and every single source on held-out users; `promoted` is true then.
#[utoipa::path(
    post, path = "/v1/collections/{c}/train/blend", tag = "recommendations", operation_id = "train_blend",
    params(CollectionPath),
    responses((status = 200, description = "The learned blend and its quality", body = BlendInfo), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn train_blend(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<BlendInfo>> {
    let info = context.train(move |database| database.collection(&path.c)?.train_blend());
    Ok(Json(info.await?))
}
