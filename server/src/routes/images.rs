//! Thumbnails of item images.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Path};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine_indexer::image::{ImageLimits, thumbnail};

use crate::{
    error::{ApiError, ApiResult},
    http::{
        etag,
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
    images,
};

/// Cache lifetime in seconds.
const MAX_AGE_S: u32 = 600;

/// Path parameters of an image.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ImagePath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Item id.
    #[param(example = "SKU1")]
    pub id: String,
    /// Image number, from 0.
    #[param(example = 0)]
    pub n: usize,
}

/// Query parameters of an image.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImageParams {
    /// Maximum length of the longer side in pixels, 16 to 2048; smaller images keep their size.
    #[serde(default = "default_size")]
    #[param(minimum = 16, maximum = 2048)]
    pub size: u32,
}

fn default_size() -> u32 {
    512
}

/// Get an image
///
/// Returns a JPEG thumbnail, rotated upright. Images by path are read from the configured folder
/// (`images.root`); images by URI are not fetched. Supports `if-none-match`.
#[utoipa::path(
    get, path = "/v1/collections/{c}/items/{id}/images/{n}", tag = "items", operation_id = "get_image",
    params(ImagePath, ImageParams),
    responses(
        (status = 200, description = "The image", body = [u8], content_type = "image/jpeg"),
        (status = 304, description = "Not modified"),
        AuthErrors, OverloadErrors, NotFoundErrors,
    ),
)]
pub async fn get(
    context: RequestContext,
    request: HttpRequest,
    path: Path<ImagePath>,
    params: Params<ImageParams>,
) -> ApiResult<HttpResponse> {
    if !(16..=2048).contains(&params.size) {
        let detail = format!("expected 16 to 2048, got {}", params.size);
        return Err(ApiError::invalid("/size", detail));
    }
    let deadline = context.deadline();
    let ImagePath { c, id, n } = path.into_inner();
    let (collection, item) = context
        .read(move |database| {
            let collection = database.collection(&c)?;
            Ok((collection.name().to_owned(), collection.get(&id, false)?))
        })
        .await?;
    let size = params.size;
    let image = context.state.images.find(&collection, &item, n)?;
    let identity = format!("{} {size}", image.identity());
    let tag = etag::tag(&blake3::hash(identity.as_bytes()));
    let (mut response, is_cached) = etag::respond(&request, tag, MAX_AGE_S);
    if is_cached {
        return Ok(response.finish());
    }
    let state = context.state.clone();
    let jpeg = context.state.thumbnails.run(deadline, move || {
        let bytes = state.images.find(&collection, &item, n)?.read()?;
        thumbnail(&bytes, &ImageLimits::default(), size)
            .map_err(|e| images::not_found(e.to_string()))
    });
    Ok(response
        .content_type("image/jpeg")
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        ))
        .body(jpeg.await?))
}
