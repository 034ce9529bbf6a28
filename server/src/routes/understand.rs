//! Query understanding.

use actix_web::web::{Json, Path};
use vitrine_schemas::{UnderstandRequest, UnderstandResponse};

use super::CollectionPath;
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        request_context::RequestContext,
        responses::{AuthErrors, BodyErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Understand a query
///
/// Extracts price, color, brand, size, category, audience and exclusions from a text, in English,
/// Chinese or German, using the values of the items. The filter can be sent with a search as it is;
/// `without` ignores fields.
#[utoipa::path(
    post, path = "/v1/collections/{c}/understand", tag = "search", operation_id = "understand",
    params(CollectionPath),
    request_body(content = UnderstandRequest, examples(
        ("English" = (value = json!({"text": "red running shoes under $50 for women, not leather"}))),
        ("Chinese" = (value = json!({"text": "500元以下的红色跑鞋 不要皮的"}))),
        ("without color" = (value = json!({"text": "red wine under 20", "without": ["color"]})))
    )),
    responses((status = 200, description = "Filter and remaining text", body = UnderstandResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn understand(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<UnderstandRequest>,
) -> ApiResult<Json<UnderstandResponse>> {
    let answer = context.read(move |database| database.collection(&path.c)?.understand(&body.0));
    Ok(Json(answer.await?))
}
