//! Rules of merchandising.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{Rule, Rules, RulesTestRequest, RulesTestResponse};

use super::{CollectionPath, SettingPath, named, setting};
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Named, Stored},
};

/// List rules
#[utoipa::path(
    get, path = "/v1/collections/{c}/rules", tag = "settings", operation_id = "list_rules",
    params(CollectionPath),
    responses((status = 200, description = "In the order of their ids", body = Rules), Keyed, Gated, Named),
)]
pub async fn list(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<Rules>> {
    let rules = setting::all(&call, path).await?;
    Ok(Json(Rules { rules }))
}

/// Replace all rules
///
/// These take the place of all there are, in one step, or none does. At most 1,000.
#[utoipa::path(
    put, path = "/v1/collections/{c}/rules", tag = "settings", operation_id = "replace_rules",
    params(CollectionPath),
    responses((status = 200, description = "All rules now", body = Rules), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn replace(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<Rules>,
) -> ApiResult<Json<Rules>> {
    let rules = setting::replace(&call, path, body.0.rules).await?;
    Ok(Json(Rules { rules }))
}

/// Try rules
///
/// Which of them act on a question at some time, and what keeps the others from it.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rules/test", tag = "settings", operation_id = "test_rules",
    params(CollectionPath),
    request_body(content = RulesTestRequest, example = json!({"text": "running shoes", "at": "2026-11-27T00:00:00Z"})),
    responses((status = 200, description = "One a rule", body = RulesTestResponse), Keyed, Gated, Bodied, Named),
)]
pub async fn test(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<RulesTestRequest>,
) -> ApiResult<Json<RulesTestResponse>> {
    let tried = call.read(move |database| database.collection(&path.c)?.try_rules(&body.0));
    Ok(Json(tried.await?))
}

/// Get a rule
#[utoipa::path(
    get, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "get_rule",
    params(SettingPath),
    responses((status = 200, description = "As it was set", body = Rule), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<SettingPath>) -> ApiResult<Json<Rule>> {
    setting::get(&call, path).await
}

/// Set a rule
///
/// It acts on searches, similar items and recommendations from the next one on. What it hides or filters out is not found, so
/// pages are full and totals right; scores are multiplied, what is buried put last and pins at their places after candidates were
/// found. A request leaves rules aside with `"rules": false`; answers name those that acted.
#[utoipa::path(
    put, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "put_rule",
    params(SettingPath),
    request_body(content = Rule, examples(
        ("a campaign" = (value = json!({
            "when": {"query": {"contains": ["running shoes", "跑鞋"]}, "paths": ["search"]},
            "then": {
                "pin": [{"id": "SKU1", "position": 1}],
                "boost": [{"items": "brand = Acme", "factor": 1.5}],
                "bury": "availability = out_of_stock",
                "hide": ["SKU7"]
            },
            "valid_from": "2026-11-27T00:00:00+08:00", "valid_until": "2026-12-01T00:00:00+08:00"
        }))),
        ("a category page" = (value = json!({
            "when": {"categories": ["Clothing > Shoes"]}, "then": {"filter": "price >= 20"}
        })))
    )),
    responses((status = 200, description = "As it is set", body = Rule), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn put(call: Call, path: Path<SettingPath>, body: Body<Rule>) -> ApiResult<Json<Rule>> {
    let mut rule = body.0;
    named(&mut rule.id, &path.id)?;
    setting::put(&call, path, rule).await
}

/// Delete a rule
#[utoipa::path(
    delete, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "delete_rule",
    params(SettingPath),
    responses((status = 204, description = "It is gone"), Keyed, Gated, Named),
)]
pub async fn delete(call: Call, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Rule>(&call, path).await
}
