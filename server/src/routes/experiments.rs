//! Experiments: search configurations compared on live searches.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine_schemas::{Experiment, ExperimentResults, Experiments, SearchTimeParams};

use super::{CollectionPath, SettingPath, set_id, setting};
use crate::{
    error::ApiResult,
    http::{
        body::Body,
        etag::{ConditionHeaders, Tagged},
        params::Params,
        request_context::RequestContext,
        responses::{
            AuthErrors, BodyErrors, ConditionErrors, NotFoundErrors, OverloadErrors, StorageErrors,
        },
    },
};

/// List experiments
#[utoipa::path(
    get, path = "/v1/collections/{c}/experiments", tag = "analytics", operation_id = "list_experiments",
    params(CollectionPath),
    responses((status = 200, description = "Experiments, sorted by id", body = Experiments), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn list(
    context: RequestContext,
    path: Path<CollectionPath>,
) -> ApiResult<Json<Experiments>> {
    let experiments = setting::all(&context, path).await?;
    Ok(Json(Experiments { experiments }))
}

/// Get an experiment
#[utoipa::path(
    get, path = "/v1/collections/{c}/experiments/{id}", tag = "analytics", operation_id = "get_experiment",
    params(SettingPath),
    responses((status = 200, description = "The experiment", body = Experiment), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn get(
    context: RequestContext,
    path: Path<SettingPath>,
) -> ApiResult<Tagged<Experiment>> {
    setting::get(&context, path).await
}

/// Set an experiment
///
/// Two or more search configurations that searches with `experiment` are assigned to, by a hash of
/// the user or session: an A/B test (`split`), or two that are interleaved in each answer. Changing
/// the shares of a running experiment moves users between variants: use another id instead.
#[utoipa::path(
    put, path = "/v1/collections/{c}/experiments/{id}", tag = "analytics", operation_id = "put_experiment",
    params(SettingPath, ConditionHeaders),
    request_body(content = Experiment, example = json!({
        "description": "full-text search against hybrid search", "kind": "split", "variants": [
            {"name": "hybrid", "share": 1, "search": {"mode": "hybrid"}},
            {"name": "lexical", "share": 1, "search": {"mode": "lexical"}}
        ]
    })),
    responses((status = 200, description = "The experiment as stored", body = Experiment), AuthErrors, ConditionErrors, OverloadErrors, BodyErrors, NotFoundErrors, StorageErrors),
)]
pub async fn put(
    context: RequestContext,
    path: Path<SettingPath>,
    body: Body<Experiment>,
) -> ApiResult<Tagged<Experiment>> {
    let mut experiment = body.0;
    set_id(&mut experiment.id, &path.id)?;
    setting::put(&context, path, experiment).await
}

/// Delete an experiment
///
/// Its searches stay in the search log.
#[utoipa::path(
    delete, path = "/v1/collections/{c}/experiments/{id}", tag = "analytics", operation_id = "delete_experiment",
    params(SettingPath, ConditionHeaders),
    responses((status = 204, description = "Deleted"), AuthErrors, ConditionErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn delete(context: RequestContext, path: Path<SettingPath>) -> ApiResult<HttpResponse> {
    setting::delete::<Experiment>(&context, path).await
}

/// Results of an experiment
///
/// Returns the figures of each variant from the searches in a range of time, and the differences to
/// the control with confidence intervals; of interleaved variants, the preferences of users.
#[utoipa::path(
    get, path = "/v1/collections/{c}/experiments/{id}/results", tag = "analytics", operation_id = "experiment_results",
    params(SettingPath, SearchTimeParams),
    responses((status = 200, description = "Results", body = ExperimentResults), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn results(
    context: RequestContext,
    path: Path<SettingPath>,
    params: Params<SearchTimeParams>,
) -> ApiResult<Json<ExperimentResults>> {
    let results = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.experiment_results(&path.id, &params)
    });
    Ok(Json(results.await?))
}
