//! Search and similar items.

use actix_web::web::{Json, Path, Query as Params};
use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{Collection, EmbedError, Embedder, Embedding, Error, Shopper, Target, VectorSearch};
use vitrine_schemas::{Query, SearchRequest, SearchResponse, SimilarParams};

use super::{CollectionPath, ItemPath};
use crate::{
    body::Body,
    call::Call,
    error::{ApiError, ApiResult},
    openapi::{Bodied, Conflicting, Encoded, Gated, Keyed, Named},
};

/// Search
///
/// By text, photo, vector or item, among the items that match the filter. Always gives min(limit, matches) hits.
/// `x-request-id` of the answer is the `request_id` of the events that follow from it.
#[utoipa::path(
    post, path = "/v1/collections/{c}/search", tag = "search", operation_id = "search",
    params(CollectionPath),
    request_body(content = SearchRequest, examples(
        ("by text, filter as a string" = (value = json!({
            "query": {"text": "red running shoes"},
            "filter": "price <= 300 AND NOT brand = \"Acme\"",
            "limit": 5
        }))),
        ("by item, filter as a tree" = (value = json!({
            "query": {"item": "SKU1"},
            "filter": {
                "must": [
                    {"key": "category", "match": {"value": "Clothing > Shoes"}},
                    {"key": "price", "range": {"lte": 300}}
                ],
                "must_not": [{"key": "color", "match": {"any": ["red", "pink"]}}]
            }
        }))),
        ("for a shopper, of each brand two at most" = (value = json!({
            "query": {"text": "red running shoes"}, "user": "u1", "diversify": {"mmr": 0.7, "max_per": {"brand": 2}}
        }))),
        ("by vector" = (value = json!({"query": {"vector": [0.1, 0.2, 0.3]}, "space": "shared", "exact": true})))
    )),
    responses(
        (status = 200, description = "Best first", body = SearchResponse),
        Keyed, Gated, Bodied, Named, Conflicting, Encoded,
    ),
)]
pub async fn search(
    call: Call,
    path: Path<CollectionPath>,
    body: Body<SearchRequest>,
) -> ApiResult<Json<SearchResponse>> {
    let (request, deadline) = (body.0, call.deadline());
    if request.ef.is_some_and(|ef| !(1..=10_000).contains(&ef)) {
        return Err(ApiError::invalid("/ef", "must be 1 to 10000"));
    }
    let target = match request.query {
        Query::Vector(vector) => Target::Vector(vector),
        Query::Item(id) => Target::Item(id),
        query @ (Query::Text(_) | Query::Image(_)) => {
            let embedder = call.state.embedder()?;
            let (c, space) = (path.c.clone(), request.space.clone());
            let embed = call.run(&call.state.embeds, deadline, move |database| {
                embed(&*embedder, query, &*database.collection(&c)?, &space)
            });
            Target::Vector(embed.await?)
        }
    };
    let search = VectorSearch {
        target,
        space: request.space,
        filter: request.filter,
        limit: request.limit,
        ef: request.ef,
        exact: request.exact,
        with_vectors: request.with_vectors,
        explain: request.explain,
        deadline: Some(deadline),
    };
    let shopper = Shopper {
        user: request.user,
        session: request.session,
        blend: request.blend,
        diversify: request.diversify,
    };
    let answer = call.run(&call.state.searches, deadline, move |database| {
        database.collection(&path.c)?.search_for(&search, &shopper)
    });
    Ok(Json(answer.await?))
}

/// The query's vector in the space, from the encoders that filled the collection.
fn embed(
    embedder: &dyn Embedder,
    query: Query,
    collection: &Collection,
    space: &str,
) -> vitrine::Result<Vec<f32>> {
    let config = collection.config();
    if let Some(expected) = &config.fingerprint
        && expected != embedder.fingerprint()
    {
        return Err(Error::FingerprintMismatch {
            expected: expected.clone(),
            found: embedder.fingerprint().into(),
        });
    }
    let mut vectors = encode(embedder, query)?;
    let vector = vectors.remove(space).ok_or_else(|| {
        let known: Vec<_> = vectors.keys().map(String::as_str).collect();
        Error::invalid(
            "/space",
            format!(
                "a query of this kind has no vector in `{space}`; use {}",
                known.join(" or ")
            ),
        )
    })?;
    match config.vectors.get(space) {
        Some(there) if there.dim != vector.len() => Err(Error::invalid(
            "/space",
            format!(
                "`{space}` has {} components, the encoders give {}; search it by vector or item",
                there.dim,
                vector.len()
            ),
        )),
        _ => Ok(vector),
    }
}

fn encode(embedder: &dyn Embedder, query: Query) -> vitrine::Result<Embedding> {
    let (pointer, mut made) = match query {
        Query::Text(text) if text.trim().is_empty() => {
            return Err(Error::invalid("/query/text", "must not be empty"));
        }
        Query::Text(text) => ("/query/text", embedder.embed_query(&[&text])),
        Query::Image(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|e| Error::invalid("/query/image", format!("is not base64: {e}")))?;
            ("/query/image", embedder.embed_image(&[bytes]))
        }
        Query::Vector(_) | Query::Item(_) => return Ok(Embedding::new()),
    };
    match made.pop() {
        Some(Ok(vectors)) => Ok(vectors),
        Some(Err(EmbedError::Input(fault))) => Err(Error::invalid(pointer, fault)),
        Some(Err(fault)) => Err(fault.into()),
        None => Err(EmbedError::Model("no result".into()).into()),
    }
}

/// Similar items
///
/// Near to an item, in its own category, in the others or anywhere; the item itself is left out.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/similar", tag = "search", operation_id = "similar_items",
    params(ItemPath, SimilarParams),
    responses((status = 200, description = "Best first", body = SearchResponse), Keyed, Gated, Named),
)]
pub async fn similar(
    call: Call,
    path: Path<ItemPath>,
    params: Params<SimilarParams>,
) -> ApiResult<Json<SearchResponse>> {
    let deadline = call.deadline();
    let answer = call.run(&call.state.searches, deadline, move |database| {
        let collection = database.collection(&path.c)?;
        collection.similar(&path.id, &params, Some(deadline))
    });
    Ok(Json(answer.await?))
}
