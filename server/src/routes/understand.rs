//! What a query means.

use actix_web::web::{Json, Path};
use vitrine_schemas::{UnderstandRequest, UnderstandResponse};

use super::CollectionPath;
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Named},
};

/// Understand a query
///
/// Takes price, colour, brand, size, category, audience and what is not wanted out of a text, in English or Chinese, by the
/// values that the items have. The filter can be sent with a search as it is; `without` undoes parts of it.
#[utoipa::path(
    post, path = "/v1/collections/{c}/understand", tag = "search", operation_id = "understand",
    params(CollectionPath),
    request_body(content = UnderstandRequest, examples(
        ("English" = (value = json!({"text": "red running shoes under $50 for women, not leather"}))),
        ("Chinese" = (value = json!({"text": "500元以下的红色跑鞋 不要皮的"}))),
        ("colour undone" = (value = json!({"text": "red wine under 20", "without": ["color"]})))
    )),
    responses((status = 200, description = "What it means", body = UnderstandResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn understand(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<UnderstandRequest>,
) -> ApiResult<Json<UnderstandResponse>> {
    let answer = call.read(move |database| database.collection(&path.c)?.understand(&body.0));
    Ok(Json(answer.await?))
}
