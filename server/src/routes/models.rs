//! Trained models of a collection, and training.

use actix_web::{
    HttpResponse,
    web::{self, Json, Path, Query as Params},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine::Training;
use vitrine_schemas::{ModelInfo, ModelsResponse, Task, TrainParams};

use super::CollectionPath;
use crate::{
    call::Call,
    error::{ApiError, ApiResult},
    openapi::{Gated, Keyed, Named},
};

/// Path of a model's routes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ModelPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Version of the model.
    pub version: u64,
}

/// Path of a task.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TaskPath {
    /// Task.
    pub id: String,
}

/// Train
///
/// Learns from the events of now, at once; the server also does so by itself when a tenth of them is new. With
/// `wait=false` the answer is a task to ask for.
#[utoipa::path(
    post, path = "/v1/collections/{c}/train", tag = "models", operation_id = "train",
    params(CollectionPath, TrainParams),
    responses(
        (status = 200, description = "What was trained", body = ModelInfo),
        (status = 202, description = "Training", body = Task),
        Keyed, Gated, Named,
    ),
)]
pub async fn train(
    call: Call,
    path: Path<CollectionPath>,
    params: Params<TrainParams>,
) -> ApiResult<HttpResponse> {
    if params.wait {
        let info = call
            .write(move |database| database.collection(&path.c)?.train(&Training::default()))
            .await?;
        return Ok(HttpResponse::Ok().json(info));
    }
    let name = path.into_inner().c;
    let collection = call
        .read(move |database| database.collection(&name))
        .await?;
    let task = call.state.tasks.start(collection.name());
    let (id, state) = (task.id.clone(), call.state.clone());
    actix_web::rt::spawn(async move {
        let trained = web::block(move || collection.train(&Training::default())).await;
        let trained = match trained {
            Ok(trained) => trained.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        state.tasks.end(&id, trained);
    });
    Ok(HttpResponse::Accepted().json(task))
}

/// List models
///
/// Those stored, the newest first; `held_out` says how well each foretold what people did last.
#[utoipa::path(
    get, path = "/v1/collections/{c}/models", tag = "models", operation_id = "list_models",
    params(CollectionPath),
    responses((status = 200, description = "The newest first", body = ModelsResponse), Keyed, Gated, Named),
)]
pub async fn list(call: Call, path: Path<CollectionPath>) -> ApiResult<Json<ModelsResponse>> {
    let models = call.read(move |database| Ok(database.collection(&path.c)?.models()));
    Ok(Json(models.await?))
}

/// Activate a model
///
/// Answers by another stored model from now on, until the next training.
#[utoipa::path(
    post, path = "/v1/collections/{c}/models/{version}/activate", tag = "models", operation_id = "activate_model",
    params(ModelPath),
    responses((status = 200, description = "It answers now", body = ModelInfo), Keyed, Gated, Named),
)]
pub async fn activate(call: Call, path: Path<ModelPath>) -> ApiResult<Json<ModelInfo>> {
    let info = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.activate_model(path.version)
    });
    Ok(Json(info.await?))
}

/// Get a task
///
/// The last 1000 are known, until the server ends.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "models", operation_id = "get_task",
    params(TaskPath),
    responses((status = 200, description = "How far it is", body = Task), Keyed, Gated, Named),
)]
pub async fn task(call: Call, path: Path<TaskPath>) -> ApiResult<Json<Task>> {
    let task = call.state.tasks.get(&path.id);
    let task = task.filter(|task| call.covers(&task.collection));
    task.map(Json).ok_or_else(|| {
        ApiError::new(
            actix_web::http::StatusCode::NOT_FOUND,
            "task_not_found",
            format!(
                "no task `{}`; the last 1000 since the start are known",
                path.id
            ),
        )
    })
}
