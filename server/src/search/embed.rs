//! Embedding of queries with the encoders that filled the collection.

use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{EmbedError, Embedder, Embedding, Error};
use vitrine_schemas::{CollectionConfig, Query};

use crate::embedders::Embedders;

/// Returns false for a declared space that has the name of one of the encoders, but another
/// dimension.
pub(super) fn is_filled(
    embedders: &Embedders,
    config: &CollectionConfig,
    space: &str,
) -> vitrine::Result<bool> {
    let Some(declared) = config.vectors.get(space) else {
        return Ok(true);
    };
    let embedder = embedders.of(config.fingerprint.as_deref())?;
    let own = embedder.dims().get(space);
    Ok(own.is_none_or(|dim| *dim == declared.dim))
}

/// Embeds the query for the space with the encoders that filled the collection.
pub(super) fn embed(
    embedders: &Embedders,
    query: &Query,
    config: &CollectionConfig,
    space: &str,
) -> vitrine::Result<Vec<f32>> {
    let embedder = embedders.of(config.fingerprint.as_deref())?;
    let mut vectors = encode(&*embedder, query)?;
    let vector = vectors.remove(space).ok_or_else(|| {
        let spaces: Vec<_> = vectors.keys().map(String::as_str).collect();
        Error::invalid(
            "/space",
            format!(
                "a query of this kind has no vector in `{space}`; use {}",
                spaces.join(" or ")
            ),
        )
    })?;
    match config.vectors.get(space) {
        Some(declared) if declared.dim != vector.len() => Err(Error::invalid(
            "/space",
            format!(
                "expected {} components for `{space}`, got {} from the encoders; search it by vector or item",
                declared.dim,
                vector.len()
            ),
        )),
        _ => Ok(vector),
    }
}

fn encode(embedder: &dyn Embedder, query: &Query) -> vitrine::Result<Embedding> {
    let (pointer, mut embedded) = match query {
        Query::Text(text) if text.trim().is_empty() => {
            return Err(Error::invalid("/query/text", "must not be empty"));
        }
        Query::Text(text) => ("/query/text", embedder.embed_query(&[text])),
        Query::Image(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|e| Error::invalid("/query/image", format!("is not base64: {e}")))?;
            ("/query/image", embedder.embed_image(&[bytes]))
        }
        Query::Audio(_) | Query::Vector(_) | Query::Item(_) => return Ok(Embedding::new()),
    };
    match embedded.pop() {
        Some(Ok(vectors)) => Ok(vectors),
        Some(Err(EmbedError::Input(message))) => Err(Error::invalid(pointer, message)),
        Some(Err(error)) => Err(error.into()),
        None => Err(EmbedError::Model("no result".into()).into()),
    }
}
