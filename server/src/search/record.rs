//! The record of a search in the search log of its collection.

use vitrine_schemas::{SearchEvent, SearchRequest, SearchResponse};

use crate::http::request_context::RequestContext;

/// Record of a request for a first page; its answer completes it.
pub struct SearchRecord(SearchEvent);

impl SearchRecord {
    /// Begins the record of a request with this id; None for a later page, which belongs to the
    /// search of the first one.
    pub fn begin(request: &SearchRequest, request_id: String) -> Option<Self> {
        if request.cursor.is_some() || request.offset > 0 {
            return None;
        }
        let lexical = request.lexical.as_ref();
        Some(Self(SearchEvent {
            request_id,
            query: request.text().unwrap_or_default().to_owned(),
            user: request.user.clone(),
            session: request.session.clone(),
            filtered: request.filter.is_some(),
            typing: lexical.is_some_and(|lexical| lexical.prefix),
            ..SearchEvent::default()
        }))
    }

    /// Records the answer, and gives it the id for its events.
    pub fn finish(self, context: &RequestContext, c: &str, answer: &mut SearchResponse) {
        answer.request_id = Some(self.0.request_id.clone());
        let Ok(collection) = context.state.database().collection(c) else {
            return;
        };
        // A replica cannot write its log.
        if !collection.records_searches() || context.state.replication.is_replica() {
            return;
        }
        let hits = answer.hits.iter();
        collection.record_search(SearchEvent {
            plan: answer.plan.clone(),
            corrected: !answer.corrections.is_empty(),
            hits: answer.total.map_or(answer.hits.len() as u64, |t| t.value),
            shown: hits.map(|hit| hit.id.clone()).collect(),
            experiment: answer.experiment.clone(),
            ..self.0
        });
    }
}
