//! Features of the candidates of a search by text, for the training of rankers.

use std::sync::Arc;

use vitrine::Search;
use vitrine_schemas::{Query, RankingFeatures, SearchMode, SearchRequest};

use super::{lexical, with_vector, words};
use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// Returns the first `limit` candidates of a search by text with their features.
pub async fn features(
    context: &RequestContext,
    c: &str,
    request: SearchRequest,
) -> ApiResult<RankingFeatures> {
    let words = words(&request)?;
    let Some(Query::Text(text)) = request.query else {
        let detail = "expected a query by text; a ranker is trained on the words of queries";
        return Err(ApiError::invalid("/query", detail));
    };
    let depth = request.limit;
    let mut search = Search {
        lexical: words.map(|words| lexical(words, request.lexical)),
        text: Some(text.clone()),
        space: request.space,
        fingerprint: request.fingerprint,
        filter: request.filter,
        limit: request.limit,
        ef: request.ef,
        exact: request.exact,
        deadline: Some(context.deadline()),
        ..Search::default()
    };
    let has_encoders = context.state.embedders.is_loaded();
    let is_lexical = request.mode == Some(SearchMode::Lexical);
    if !is_lexical && (request.mode.is_some() || has_encoders) {
        let query = Arc::new(Query::Text(text));
        search = with_vector(context, c, search, query, request.mode.is_none()).await?;
    }
    let (c, deadline) = (c.to_owned(), context.deadline());
    let features = context.run(&context.state.searches, deadline, move |database| {
        database.collection(&c)?.ranking_features(&search, depth)
    });
    features.await
}
