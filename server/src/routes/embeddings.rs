//! Embeddings in the form of the OpenAI API.

use std::time::Instant;

use actix_web::web::Json;
use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{EmbedError, Embedder, Error};
use vitrine_schemas::{
    EmbeddingObject, EmbeddingValue, EmbeddingsRequest, EmbeddingsResponse, EmbeddingsUsage,
    EncodingFormat,
};

use crate::{
    body::Body,
    call::Call,
    error::ApiResult,
    openapi::{Bodied, Encoded, Gated, Keyed},
};

/// Most texts of a request.
const MOST: usize = 2048;

/// Texts embedded between two looks at the clock.
const AT_ONCE: usize = 32;

/// Embed texts
///
/// By the server's text model, whatever `model` names; longer texts are cut to what the model sees.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "embeddings", operation_id = "embed",
    request_body(content = EmbeddingsRequest, example = json!({"input": ["red running shoes", "blue"]})),
    responses((status = 200, description = "One vector a text", body = EmbeddingsResponse), Keyed, Gated, Bodied, Encoded),
)]
pub async fn post(
    call: Call,
    body: Body<EmbeddingsRequest>,
) -> ApiResult<Json<EmbeddingsResponse>> {
    let embedder = call.state.embedders.in_use()?;
    let deadline = call.deadline();
    let answer = call.run(&call.state.embeds, deadline, move |_| {
        answer(&*embedder, body.0, deadline)
    });
    Ok(Json(answer.await?))
}

fn answer(
    embedder: &dyn Embedder,
    request: EmbeddingsRequest,
    deadline: Instant,
) -> vitrine::Result<EmbeddingsResponse> {
    let texts = request.input.into_vec();
    check(&texts)?;
    let mut data = Vec::with_capacity(texts.len());
    let mut tokens = 0;
    for texts in texts.chunks(AT_ONCE) {
        if Instant::now() >= deadline {
            return Err(Error::DeadlineExceeded);
        }
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        tokens += texts
            .iter()
            .map(|t| embedder.count_tokens(t))
            .sum::<usize>() as u64;
        for made in embedder.embed_text(&texts) {
            let index = data.len();
            let vector = text_vector(made, index)?;
            check_dimensions(request.dimensions, vector.len())?;
            data.push(EmbeddingObject {
                object: "embedding".into(),
                index,
                embedding: value(vector, request.encoding_format),
            });
        }
    }
    Ok(EmbeddingsResponse {
        object: "list".into(),
        data,
        model: embedder.model_name().into(),
        usage: EmbeddingsUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    })
}

fn check(texts: &[String]) -> vitrine::Result<()> {
    if texts.is_empty() || texts.len() > MOST {
        let detail = format!("must be 1 to {MOST} texts, there are {}", texts.len());
        return Err(Error::invalid("/input", detail));
    }
    match texts.iter().position(|text| text.is_empty()) {
        None => Ok(()),
        Some(0) if texts.len() == 1 => Err(Error::invalid("/input", "must not be empty")),
        Some(at) => Err(Error::invalid(format!("/input/{at}"), "must not be empty")),
    }
}

fn check_dimensions(wanted: Option<usize>, dim: usize) -> vitrine::Result<()> {
    match wanted {
        Some(wanted) if wanted != dim => Err(Error::invalid(
            "/dimensions",
            format!("the model gives {dim}; leave `dimensions` out"),
        )),
        _ => Ok(()),
    }
}

/// The vector in the text space, or in the shared one where the model has no other.
fn text_vector(
    made: Result<vitrine::Embedding, EmbedError>,
    index: usize,
) -> vitrine::Result<Vec<f32>> {
    let mut spaces = made.map_err(|fault| match fault {
        EmbedError::Input(fault) => Error::invalid(format!("/input/{index}"), fault),
        other => other.into(),
    })?;
    spaces
        .remove("text")
        .or_else(|| spaces.remove("shared"))
        .ok_or_else(|| EmbedError::Model("no vector of a text".into()).into())
}

fn value(vector: Vec<f32>, format: EncodingFormat) -> EmbeddingValue {
    match format {
        EncodingFormat::Float => EmbeddingValue::Float(vector),
        EncodingFormat::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            EmbeddingValue::Base64(STANDARD.encode(bytes))
        }
    }
}
