//! Recorded searches and their figures.

use actix_web::{
    HttpResponse,
    web::{Bytes, Json, Path},
};
use futures_util::{Stream, stream};
use vitrine::RecordedSearches;
use vitrine_schemas::{
    AnalyticsSummary, PositionFiguresResponse, QueryFiguresParams, QueryFiguresResponse,
    SearchOutcome, SearchTimeParams,
};

use super::CollectionPath;
use crate::{
    error::{ApiResult, REQUEST_ID, current_request_id},
    http::{
        params::Params,
        request_context::RequestContext,
        responses::{AuthErrors, NotFoundErrors, OverloadErrors},
    },
};

/// Summary of searches
///
/// Returns the figures of all recorded searches in a range of time, and by day: searches, users,
/// searches without a hit, click-through, conversion and revenue. Of a query that was searched as
/// it was typed, only the last search counts.
#[utoipa::path(
    get, path = "/v1/collections/{c}/analytics/summary", tag = "analytics", operation_id = "analytics_summary",
    params(CollectionPath, SearchTimeParams),
    responses((status = 200, description = "Figures", body = AnalyticsSummary), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn summary(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SearchTimeParams>,
) -> ApiResult<Json<AnalyticsSummary>> {
    let work = context.read(move |database| database.collection(&path.c)?.search_summary(&params));
    Ok(Json(work.await?))
}

/// Figures of queries
///
/// Returns the queries of a range of time with their figures: the most frequent, those without
/// results, or those with results and without a click; sorted and paged.
#[utoipa::path(
    get, path = "/v1/collections/{c}/analytics/queries", tag = "analytics", operation_id = "analytics_queries",
    params(CollectionPath, QueryFiguresParams),
    responses((status = 200, description = "Queries with figures", body = QueryFiguresResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn queries(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<QueryFiguresParams>,
) -> ApiResult<Json<QueryFiguresResponse>> {
    let work = context.read(move |database| database.collection(&path.c)?.query_figures(&params));
    Ok(Json(work.await?))
}

/// Figures of positions
///
/// Returns how often each position of the first page was shown and clicked.
#[utoipa::path(
    get, path = "/v1/collections/{c}/analytics/positions", tag = "analytics", operation_id = "analytics_positions",
    params(CollectionPath, SearchTimeParams),
    responses((status = 200, description = "Positions with figures", body = PositionFiguresResponse), AuthErrors, OverloadErrors, NotFoundErrors),
)]
pub async fn positions(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SearchTimeParams>,
) -> ApiResult<Json<PositionFiguresResponse>> {
    let work = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        collection.position_figures(&params)
    });
    Ok(Json(work.await?))
}

/// Export searches
///
/// Streams the recorded searches of a range of time, one per line, oldest first: the query, the ids
/// of the first page in order, and the events that refer to the search, with positions. A response
/// that does not end with a line end is incomplete.
#[utoipa::path(
    get, path = "/v1/collections/{c}/search_events/export", tag = "analytics", operation_id = "export_searches",
    params(CollectionPath, SearchTimeParams),
    responses(
        (status = 200, description = "One search per line", body = SearchOutcome, content_type = "application/x-ndjson"),
        AuthErrors, OverloadErrors, NotFoundErrors,
    ),
)]
pub async fn export(
    context: RequestContext,
    path: Path<CollectionPath>,
    params: Params<SearchTimeParams>,
) -> ApiResult<HttpResponse> {
    let searches = context.read(move |database| {
        let collection = database.collection(&path.c)?;
        RecordedSearches::new(collection, &params)
    });
    let searches = searches.await?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .streaming(lines(context, searches)))
}

/// Streams the searches; a failed step breaks the stream off.
fn lines(
    context: RequestContext,
    searches: RecordedSearches,
) -> impl Stream<Item = ApiResult<Bytes>> {
    let id = current_request_id();
    stream::unfold(Some((context, searches)), move |state| {
        let id = id.clone();
        async move {
            let (context, mut searches) = state?;
            let (gate, timeout) = (&context.state.searches, context.timeout);
            let work = move || Ok((searches.step()?, searches));
            let step = REQUEST_ID.scope(id, gate.run_in_turn(timeout, work)).await;
            match step {
                Ok((None, _)) => None,
                Ok((Some(page), searches)) => {
                    Some((Ok(as_lines(&page)), Some((context, searches))))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    })
}

fn as_lines(searches: &[SearchOutcome]) -> Bytes {
    let lines = searches
        .iter()
        .filter_map(|s| serde_json::to_string(s).ok());
    lines.map(|line| line + "\n").collect::<String>().into()
}
