//! Synonyms and stop words.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{StopWords, Synonym, Synonyms};

use super::{CollectionPath, SettingPath, named, setting};
use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Gated, Keyed, Named, Stored},
};

/// List synonyms
#[utoipa::path(
    get, path = "/v1/collections/{c}/synonyms", tag = "settings", operation_id = "list_synonyms",
    params(CollectionPath),
    responses((status = 200, description = "In the order of their ids", body = Synonyms), Keyed, Gated, Named),
)]
pub async fn list(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<Synonyms>> {
    let synonyms = setting::all(&call, path).await?;
    Ok(Json(Synonyms { synonyms }))
}

/// Replace all synonyms
///
/// These take the place of all there are, in one step, or none does. At most 20,000; an id is made where there is none.
#[utoipa::path(
    put, path = "/v1/collections/{c}/synonyms", tag = "settings", operation_id = "replace_synonyms",
    params(CollectionPath),
    request_body(content = Synonyms, example = json!({"synonyms": [
        {"words": ["sneakers", "trainers", "running shoes"]}, {"words": ["iphone"], "to": ["smartphone"]}, {"words": ["跑鞋", "运动鞋"]}
    ]})),
    responses((status = 200, description = "All synonyms now", body = Synonyms), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn replace(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<Synonyms>,
) -> ApiResult<Json<Synonyms>> {
    let synonyms = setting::replace(&call, path, body.0.synonyms).await?;
    Ok(Json(Synonyms { synonyms }))
}

/// Get a synonym
#[utoipa::path(
    get, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "get_synonym",
    params(SettingPath),
    responses((status = 200, description = "As it was set", body = Synonym), Keyed, Gated, Named),
)]
pub async fn get(call: Call, path: Path<SettingPath>) -> ApiResult<Json<Synonym>> {
    setting::get(&call, path).await
}

/// Set a synonym
///
/// Searches by words look for what stands for theirs, from the next one on; the longest phrase of a query counts. Answers say what
/// was looked for in `synonyms`.
#[utoipa::path(
    put, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "put_synonym",
    params(SettingPath),
    request_body(content = Synonym, examples(
        ("each finds the others" = (value = json!({"words": ["sneakers", "trainers", "running shoes"]}))),
        ("one way" = (value = json!({"words": ["iphone"], "to": ["smartphone"]})))
    )),
    responses((status = 200, description = "As it is set", body = Synonym), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn put(
    call: Call,
    path: Path<SettingPath>,
    body: Body<Synonym>,
) -> ApiResult<Json<Synonym>> {
    let mut one = body.0;
    named(&mut one.id, &path.id)?;
    setting::put(&call, path, one).await
}

/// Delete a synonym
#[utoipa::path(
    delete, path = "/v1/collections/{c}/synonyms/{id}", tag = "settings", operation_id = "delete_synonym",
    params(SettingPath),
    responses((status = 204, description = "It is gone"), Keyed, Gated, Named),
)]
pub async fn delete(call: Call, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Synonym>(&call, path).await
}

/// Get the stop words
#[utoipa::path(
    get, path = "/v1/collections/{c}/stop_words", tag = "settings", operation_id = "get_stop_words",
    params(CollectionPath),
    responses((status = 200, description = "As they were set", body = StopWords), Keyed, Gated, Named),
)]
pub async fn stop_words(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<StopWords>> {
    let words = call.read(move |database| Ok(database.collection(&path.c)?.stop_words()));
    Ok(Json(words.await?))
}

/// Set the stop words
///
/// Queries are rid of them before items are looked for by words, and before rules compare texts, unless nothing would be left.
#[utoipa::path(
    put, path = "/v1/collections/{c}/stop_words", tag = "settings", operation_id = "put_stop_words",
    params(CollectionPath),
    request_body(content = StopWords, example = json!({"words": ["cheap", "best price", "特价"]})),
    responses((status = 200, description = "As they are set", body = StopWords), Keyed, Gated, Bodied, Named, Stored),
)]
pub async fn put_stop_words(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<StopWords>,
) -> ApiResult<Json<StopWords>> {
    let put = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.set_stop_words(body.0)?;
        Ok(collection.stop_words())
    });
    Ok(Json(put.await?))
}
