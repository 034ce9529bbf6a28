//! OpenAI-compatible embeddings.

use std::{sync::Arc, time::Instant};

use actix_web::web::Json;
use base64::{Engine, engine::general_purpose::STANDARD};
use vitrine::{EmbedError, Embedder, Error};
use vitrine_schemas::{
    EmbeddingObject, EmbeddingValue, EmbeddingsRequest, EmbeddingsResponse, EmbeddingsUsage,
    EncodingFormat, OpenAiModel, OpenAiModels,
};

use crate::{
    error::ApiResult,
    http::{body::Body, request_context::RequestContext, responses::OpenAiErrors},
};

/// Maximum number of texts of a request.
const MAX_TEXTS: usize = 2048;

/// Texts embedded between two checks of the deadline.
const BATCH_SIZE: usize = 32;

/// List models
///
/// Lists the text model of the server. Errors have the form of the OpenAI API.
#[utoipa::path(
    get, path = "/v1/models", tag = "embeddings", operation_id = "list_openai_models",
    responses((status = 200, description = "The model", body = OpenAiModels), OpenAiErrors),
)]
pub async fn models(context: RequestContext) -> Json<OpenAiModels> {
    let model = |embedder: Arc<dyn Embedder>| OpenAiModel {
        id: embedder.model_name().to_owned(),
        object: "model".into(),
        created: 0,
        owned_by: "vitrine".into(),
    };
    let in_use = context.state.embedders.in_use();
    Json(OpenAiModels {
        object: "list".into(),
        data: in_use.into_iter().map(model).collect(),
    })
}

/// Embed texts
///
/// Uses the server's text model, whatever `model` names; longer texts are truncated to the model's
/// maximum length. Errors have the form of the OpenAI API.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "embeddings", operation_id = "embed",
    request_body(content = EmbeddingsRequest, example = json!({"input": ["red running shoes", "blue"]})),
    responses((status = 200, description = "One vector per text", body = EmbeddingsResponse), OpenAiErrors),
)]
pub async fn post(
    context: RequestContext,
    body: Body<EmbeddingsRequest>,
) -> ApiResult<Json<EmbeddingsResponse>> {
    let embedder = context.state.embedders.in_use()?;
    let deadline = context.deadline();
    let answer = context.run(&context.state.embeds, deadline, move |_| {
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
    for texts in texts.chunks(BATCH_SIZE) {
        if Instant::now() >= deadline {
            return Err(Error::DeadlineExceeded);
        }
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        tokens += texts
            .iter()
            .map(|t| embedder.count_tokens(t))
            .sum::<usize>() as u64;
        for embedding in embedder.embed_text(&texts) {
            let index = data.len();
            let vector = text_vector(embedding, index)?;
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
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        let detail = format!("expected 1 to {MAX_TEXTS} texts, got {}", texts.len());
        return Err(Error::invalid("/input", detail));
    }
    match texts.iter().position(|text| text.is_empty()) {
        None => Ok(()),
        Some(0) if texts.len() == 1 => Err(Error::invalid("/input", "must not be empty")),
        Some(index) => Err(Error::invalid(
            format!("/input/{index}"),
            "must not be empty",
        )),
    }
}

fn check_dimensions(requested: Option<usize>, dim: usize) -> vitrine::Result<()> {
    match requested {
        Some(requested) if requested != dim => Err(Error::invalid(
            "/dimensions",
            format!("expected {dim}, the model's dimension, got {requested}; omit `dimensions`"),
        )),
        _ => Ok(()),
    }
}

/// Returns the vector of the `text` space, or of the shared space if the model has no other.
fn text_vector(
    embedding: Result<vitrine::Embedding, EmbedError>,
    index: usize,
) -> vitrine::Result<Vec<f32>> {
    let mut spaces = embedding.map_err(|error| match error {
        EmbedError::Input(message) => Error::invalid(format!("/input/{index}"), message),
        other => other.into(),
    })?;
    spaces
        .remove("text")
        .or_else(|| spaces.remove("shared"))
        .ok_or_else(|| EmbedError::Model("the model returned no text vector".into()).into())
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
