//! Synonyms and stop words.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine::version_tag;
use vitrine_schemas::{StopWords, Synonym, Synonyms};

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

/// List synonyms
#[utoipa::path(
    get, path = "/v1/collections/{c}/synonyms", tag = "settings", operation_id = "list_synonyms",
    params(CollectionPath),
    responses((status = 200, description = "Synonyms, sorted by id", body = Synonyms), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Tagged<Synonyms>> {
    let synonyms = setting::all(&context, path).await?;
    Ok(Tagged {
        tag: version_tag(&synonyms),
        body: Synonyms { synonyms },
    })
}

/// Replace all synonyms
///
/// Replaces all synonyms atomically. At most 20,000; missing ids are generated.
#[utoipa::path(
    put, path = "/v1/collections/{c}/synonyms", tag = "settings", operation_id = "replace_synonyms",
    params(CollectionPath, ConditionHeaders),
    request_body(content = Synonyms, example = json!({"synonyms": [
        {"words": ["sneakers", "trainers", "running shoes"]}, {"words": ["iphone"], "to": ["smartphone"]}, {"words": ["跑鞋", "运动鞋"]}
    ]})),
    responses((status = 200, description = "Synonyms after the change", body = Synonyms), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn replace(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<Synonyms>,
) -> ApiResult<Tagged<Synonyms>> {
    let synonyms = setting::replace(&context, path, body.0.synonyms).await?;
    Ok(Tagged {
        tag: version_tag(&synonyms),
        body: Synonyms { synonyms },
    })
}

/// Get a synonym
#[utoipa::path(
    get, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "get_synonym",
    params(SettingPath),
    responses((status = 200, description = "The synonym", body = Synonym), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(context: RequestContext, path: Path<SettingPath>) -> ApiResult<Tagged<Synonym>> {
    setting::get(&context, path).await
}

/// Set a synonym
///
/// Full-text searches also match the synonyms of their terms, starting with the next search; the
/// longest phrase of a query wins. Responses list the synonyms used in `synonyms`.
#[utoipa::path(
    put, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "put_synonym",
    params(SettingPath, ConditionHeaders),
    request_body(content = Synonym, examples(
        ("equivalent terms" = (value = json!({"words": ["sneakers", "trainers", "running shoes"]}))),
        ("one-way synonym" = (value = json!({"words": ["iphone"], "to": ["smartphone"]})))
    )),
    responses((status = 200, description = "The synonym as stored", body = Synonym), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<SettingPath>,
    body: Body<Synonym>,
) -> ApiResult<Tagged<Synonym>> {
    let mut synonym = body.0;
    set_id(&mut synonym.id, &path.id)?;
    setting::put(&context, path, synonym).await
}

/// Delete a synonym
#[utoipa::path(
    delete, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "delete_synonym",
    params(SettingPath, ConditionHeaders),
    responses((status = 204, description = "Deleted"), AuthErrors, ConditionErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Synonym>(&context, path).await
}

/// Get the stop words
#[utoipa::path(
    get, path = "/v1/collections/{c}/stop_words", tag = "settings", operation_id = "get_stop_words",
    params(CollectionPath),
    responses((status = 200, description = "The stop words", body = StopWords), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn stop_words(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<StopWords>> {
    let words = context.read(move |database| Ok(database.collection(&path.c)?.stop_words()));
    Ok(Json(words.await?))
}

/// Set the stop words
///
/// Stop words are removed from queries before full-text search and before rules compare texts,
/// unless nothing would remain.
#[utoipa::path(
    put, path = "/v1/collections/{c}/stop_words", tag = "settings", operation_id = "put_stop_words",
    params(CollectionPath),
    request_body(content = StopWords, example = json!({"words": ["cheap", "best price", "特价"]})),
    responses((status = 200, description = "The stop words as stored", body = StopWords), AuthErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put_stop_words(
    context: RequestContext,
    path: Path<CollectionPath>,
    body: Body<StopWords>,
) -> ApiResult<Json<StopWords>> {
    let put = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.set_stop_words(body.0)?;
        Ok(collection.stop_words())
    });
    Ok(Json(put.await?))
}
