//! Merchandising rules.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine::version_tag;
use vitrine_schemas::{Rule, Rules, RulesTestRequest, RulesTestResponse};

use super::{CollectionPath, SettingPath, set_id, setting};
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        etag::{ConditionHeaders, Tagged},
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConditionErrors, NotFoundErrors, OverloadErrors, StorageErrors,
        },
    },
};

/// List rules
#[utoipa::path(
    get, path = "/v1/collections/{c}/rules", tag = "settings", operation_id = "list_rules",
    params(CollectionPath),
    responses((status = 200, description = "Rules, sorted by id", body = Rules), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(context: RequestContext, path: Path<CollectionPath>) -> ApiResult<Tagged<Rules>> {
    let rules = setting::all(&context, path).await?;
    Ok(Tagged {
        tag: version_tag(&rules),
        body: Rules { rules },
    })
}

/// Replace all rules
///
/// Replaces all rules atomically. At most 1,000.
#[utoipa::path(
    put, path = "/v1/collections/{c}/rules", tag = "settings", operation_id = "replace_rules",
    params(CollectionPath, ConditionHeaders),
    responses((status = 200, description = "Rules after the change", body = Rules), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn replace(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<Rules>,
) -> ApiResult<Tagged<Rules>> {
    let rules = setting::replace(&context, path, body.0.rules).await?;
    Ok(Tagged {
        tag: version_tag(&rules),
        body: Rules { rules },
    })
}

/// Test rules
///
/// Returns which rules apply to a query at a point in time, and why the others do not.
#[utoipa::path(
    post, path = "/v1/collections/{c}/rules/test", tag = "settings", operation_id = "test_rules",
    params(CollectionPath),
    request_body(content = RulesTestRequest, example = json!({"text": "running shoes", "at": "2026-11-27T00:00:00Z"})),
    responses((status = 200, description = "One result per rule", body = RulesTestResponse), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors),
)]
pub async fn test(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<RulesTestRequest>,
) -> ApiResult<Json<RulesTestResponse>> {
    let results = context.read(move |database| database.collection(&path.c)?.test_rules(&body.0));
    Ok(Json(results.await?))
}

/// Get a rule
#[utoipa::path(
    get, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "get_rule",
    params(SettingPath),
    responses((status = 200, description = "The rule", body = Rule), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(context: RequestContext, path: Path<SettingPath>) -> ApiResult<Tagged<Rule>> {
    setting::get(&context, path).await
}

/// Set a rule
///
/// A rule applies to searches, similar items and recommendations, starting with the next request.
/// Items that it hides or filters out are excluded from the candidates, so pages are full and
/// totals are right. Boosts multiply scores, buried items go last and pinned items take their
/// positions after candidates were found. `"rules": false` in a request disables rules; responses
/// list the rules that applied.
#[utoipa::path(
    put, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "put_rule",
    params(SettingPath, ConditionHeaders),
    request_body(content = Rule, examples(
        ("campaign" = (value = json!({
            "when": {"query": {"contains": ["running shoes", "跑鞋"]}, "paths": ["search"]},
            "then": {
                "pin": [{"id": "SKU1", "position": 1}],
                "boost": [{"items": "brand = Acme", "factor": 1.5}],
                "bury": "availability = out_of_stock",
                "hide": ["SKU7"]
            },
            "valid_from": "2026-11-27T00:00:00+08:00", "valid_until": "2026-12-01T00:00:00+08:00"
        }))),
        ("category page" = (value = json!({
            "when": {"categories": ["Clothing > Shoes"]}, "then": {"filter": "price >= 20"}
        })))
    )),
    responses((status = 200, description = "The rule as stored", body = Rule), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<SettingPath>,
    body: Body<Rule>,
) -> ApiResult<Tagged<Rule>> {
    let mut rule = body.0;
    set_id(&mut rule.id, &path.id)?;
    setting::put(&context, path, rule).await
}

/// Delete a rule
#[utoipa::path(
    delete, path = "/v1/collections/{c}/rules/{id}", tag = "settings", operation_id = "delete_rule",
    params(SettingPath, ConditionHeaders),
    responses((status = 204, description = "Deleted"), AuthErrors, ConditionErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Rule>(&context, path).await
}
