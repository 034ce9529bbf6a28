//! Photos of items, made small.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Path, Query as Params},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_indexer::image::{ImageLimits, thumbnail};

use crate::{
    cached,
    call::Call,
    error::{ApiError, ApiResult},
    openapi::{Gated, Keyed, Named},
    photos,
};

/// Seconds in which a browser does not ask again.
const FRESH: u32 = 600;

/// Path of a photo.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ImagePath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Item.
    #[param(example = "SKU1")]
    pub id: String,
    /// Which of its photos, from 0.
    #[param(example = 0)]
    pub n: usize,
}

/// Query string of a photo.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImageParams {
    /// Most pixels of its longer side, 16 to 2048; smaller photos keep their size.
    #[serde(default = "half")]
    #[param(minimum = 16, maximum = 2048)]
    pub size: u32,
}

fn half() -> u32 {
    512
}

/// Get a photo
///
/// As a JPEG, upright and shrunk, whatever the file is. Photos by path are read from the folder that the server is
/// configured with (`images.root`); photos by web address are not fetched. `if-none-match` is heeded.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/images/{n}", tag = "items", operation_id = "get_image",
    params(ImagePath, ImageParams),
    responses(
        (status = 200, description = "The photo", body = [u8], content_type = "image/jpeg"),
        (status = 304, description = "The caller has it"),
        Keyed, Gated, Named,
    ),
)]
pub async fn get(
    call: Call,
    request: HttpRequest,
    path: Path<ImagePath>,
    params: Params<ImageParams>,
) -> ApiResult<HttpResponse> {
    if !(16..=2048).contains(&params.size) {
        return Err(ApiError::invalid("/size", "must be 16 to 2048"));
    }
    let deadline = call.deadline();
    let ImagePath { c, id, n } = path.into_inner();
    let (collection, item) = call
        .read(move |database| {
            let collection = database.collection(&c)?;
            Ok((collection.name().to_owned(), collection.get(&id, false)?))
        })
        .await?;
    let size = params.size;
    let photo = call.state.photos.find(&collection, &item, n)?;
    let identity = format!("{} {size}", photo.identity());
    let tag = cached::tag(&blake3::hash(identity.as_bytes()));
    let (mut answer, has) = cached::answer(&request, tag, FRESH);
    if has {
        return Ok(answer.finish());
    }
    let state = call.state.clone();
    let jpeg = call.state.images.run(deadline, move || {
        let bytes = state.photos.find(&collection, &item, n)?.read()?;
        thumbnail(&bytes, &ImageLimits::default(), size)
            .map_err(|e| photos::not_found(e.to_string()))
    });
    Ok(answer
        .content_type("image/jpeg")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ))
        .body(jpeg.await?))
}
