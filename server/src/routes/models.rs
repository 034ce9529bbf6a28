//! Models of a collection, and training.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vitrine::Training;
use vitrine_schemas::{ModelInfo, ModelsResponse, Task, TrainParams};

use super::CollectionPath;
use crate::{
    error::{ApiError, ApiResult},
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Time after which a task is no longer waited for.
const MAX_TRAINING_TIME: Duration = Duration::from_secs(24 * 3600);

/// Path parameters of a model.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ModelPath {
    /// Collection or alias.
    #[param(example = "shop")]
    pub c: String,
    /// Model version.
    pub version: u64,
}

/// Path parameters of a task.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct TaskPath {
    /// Task id.
    pub id: String,
}

/// Train
///
/// Trains on the current events immediately; the server also retrains by itself when a tenth of the
/// events is new. With `wait=false` the response is a task to poll; if a training of the collection
/// has yet to begin, it is that one.
#[utoipa::path(
    post, path = "/v1/collections/{c}/train", tag = "models", operation_id = "train",
    params(CollectionPath, TrainParams),
    responses(
        (status = 200, description = "The trained model", body = ModelInfo),
        (status = 202, description = "The started task", body = Task),
        AuthErrors, OverloadErrors, NotFoundErrors,
    ),
)]
pub async fn train(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<TrainParams>,
) -> ApiResult<HttpResponse> {
    if params.wait {
        let info = context
            .train(move |database| database.collection(&path.c)?.train(&Training::default()))
            .await?;
        return Ok(HttpResponse::Ok().json(info));
    }
    let name = path.into_inner().c;
    let collection = context
        .read(move |database| database.collection(&name))
        .await?;
    let (task, is_new) = context.state.tasks.queue(collection.name());
    if is_new {
        let (id, state) = (task.id.clone(), context.state.clone());
        actix_web::rt::spawn(async move {
            let begun = (id.clone(), state.clone());
            let train = move || {
                let (id, state) = begun;
                state.tasks.begin(&id);
                Ok(collection.train(&Training::default())?)
            };
            let trained = state.trainings.run_in_turn(MAX_TRAINING_TIME, train).await;
            state.tasks.end(&id, trained.map_err(|e| e.to_string()));
        });
    }
    Ok(HttpResponse::Accepted().json(task))
}

/// List models
///
/// Lists the stored models; `held_out` has the accuracy of each on the latest events.
#[utoipa::path(
    get, path = "/v1/collections/{c}/models", tag = "models", operation_id = "list_models",
    params(CollectionPath),
    responses((status = 200, description = "Models, newest first", body = ModelsResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<ModelsResponse>> {
    let models = context.read(move |database| Ok(database.collection(&path.c)?.models()));
    Ok(Json(models.await?))
}

/// Activate a model
///
/// Serves recommendations from another stored model until the next training.
#[utoipa::path(
    post, path = "/v1/collections/{c}/models/{version}/activate", tag = "models", operation_id = "activate_model",
    params(ModelPath),
    responses((status = 200, description = "The active model", body = ModelInfo), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn activate(
    context: RequestContext,
    path: Path<ModelPath>,
) -> ApiResult<Json<ModelInfo>> {
    let info = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.activate_model(path.version)
    });
    Ok(Json(info.await?))
}

/// Get a task
///
/// The last 1000 tasks are kept, until the server stops.
#[utoipa::path(
    get, path = "/v1/tasks/{id}", tag = "models", operation_id = "get_task",
    params(TaskPath),
    responses((status = 200, description = "State of the task", body = Task), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn task(context: RequestContext, path: Path<TaskPath>) -> ApiResult<Json<Task>> {
    let task = context.state.tasks.get(&path.id);
    let covers = |task: &Task| {
        let aliases = context.state.database().aliases().into_iter();
        let mut aliases = aliases.filter(|(_, collection)| *collection == task.collection);
        context.covers(&task.collection) || aliases.any(|(alias, _)| context.covers(&alias))
    };
    let task = task.filter(covers);
    task.map(Json).ok_or_else(|| {
        ApiError::new(
            actix_web::http::StatusCode::NOT_FOUND,
            "task_not_found",
            format!(
                "no task `{}`; the last 1000 tasks since the start of the server are kept",
                path.id
            ),
        )
    })
}
