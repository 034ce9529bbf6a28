//! Interleaved answers of two variants of an experiment.

use futures_util::future::try_join;
use vitrine::experiments::{draft_seed, team_draft};
use vitrine_schemas::{ExperimentUse, Hit, Query, SearchRequest, SearchResponse};

use super::run_one;
use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Maximum number of hits up to the end of a page.
const MAX_WINDOW: usize = 1_000;

/// Runs both searches and interleaves their hits up to the end of the page, always in the same way
/// for a user and a query, so that pages fit together. Everything but the hits is the answer of the
/// control, which comes first.
///
/// # Errors
/// Either search fails, a cursor is given, or the page ends after hit 1,000.
pub async fn run(
    context: &RequestContext,
    c: &str,
    requests: [SearchRequest; 2],
    experiment: &str,
) -> ApiResult<SearchResponse> {
    let (offset, limit) = (requests[0].offset, requests[0].limit);
    if requests[0].cursor.is_some() {
        let detail = "cannot continue interleaved hits; page with `offset`";
        return Err(ApiError::invalid("/cursor", detail));
    }
    let end = offset.saturating_add(limit);
    if end > MAX_WINDOW {
        let detail = format!("expected offset + limit of at most {MAX_WINDOW}, got {end}");
        return Err(ApiError::invalid("/offset", detail));
    }
    let seed = seed(experiment, &requests[0]);
    let [control, rival] = requests.map(|request| {
        let window = SearchRequest {
            offset: 0,
            limit: end.max(1),
            ..request
        };
        run_one(context, c, window)
    });
    let (mut answer, rival) = try_join(control, rival).await?;
    let rankings = [std::mem::take(&mut answer.hits), rival.hits];
    let drafted = team_draft(rankings, |hit: &Hit| hit.id.clone(), end, seed);
    let page = drafted.into_iter().skip(offset);
    let (teams, hits): (Vec<u8>, Vec<Hit>) = page.unzip();
    answer.hits = hits;
    answer.next_cursor = None;
    answer.experiment = Some(ExperimentUse {
        id: experiment.to_owned(),
        variant: None,
        teams,
    });
    Ok(answer)
}

fn seed(experiment: &str, request: &SearchRequest) -> u64 {
    let subject = request.user.as_ref().or(request.session.as_ref());
    let query = match &request.query {
        Some(Query::Text(text)) => text.clone(),
        query => serde_json::to_string(query).unwrap_or_default(),
    };
    draft_seed(experiment, subject.map_or("", String::as_str), &query)
}
