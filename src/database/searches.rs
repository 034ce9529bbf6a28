//! Recorded searches of a collection: export and figures.

use std::{ops::Range, sync::Arc};

use vitrine_schemas::{
    AnalyticsSummary, PositionFiguresResponse, QueryFiguresParams, QueryFiguresResponse,
    SearchOutcome, SearchTimeParams,
};

use crate::{
    Collection, Result,
    behavior::Purposes,
    search_log::{FollowUps, range},
    storage::EventRef,
};

/// Searches read per step of [`RecordedSearches`].
const STEP_SEARCHES: usize = 500;

impl Collection {
    /// Returns the figures of the searches in a range of time, and by day.
    ///
    /// # Errors
    /// An invalid time, or the store failed.
    pub fn search_summary(&self, params: &SearchTimeParams) -> Result<AnalyticsSummary> {
        let range = self.time_range(params)?;
        self.search_log().summary(
            range,
            &self.is_permitted(Purposes::ANALYTICS),
            &self.config().anonymity,
        )
    }

    /// Returns the figures of queries in a range of time, sorted and paged.
    ///
    /// # Errors
    /// An invalid time or limit, or the store failed.
    pub fn query_figures(&self, params: &QueryFiguresParams) -> Result<QueryFiguresResponse> {
        let range = range(params.from.as_deref(), params.to.as_deref(), self.now())?;
        self.search_log().queries(
            range,
            &self.is_permitted(Purposes::ANALYTICS),
            params,
            &self.config().anonymity,
        )
    }

    /// Returns the figures of the positions of first pages in a range of time.
    ///
    /// # Errors
    /// An invalid time, or the store failed.
    pub fn position_figures(&self, params: &SearchTimeParams) -> Result<PositionFiguresResponse> {
        let range = self.time_range(params)?;
        self.search_log()
            .positions(range, &self.is_permitted(Purposes::ANALYTICS))
    }

    pub(super) fn time_range(&self, params: &SearchTimeParams) -> Result<Range<i64>> {
        range(params.from.as_deref(), params.to.as_deref(), self.now())
    }
}

/// The recorded searches in a range of time, each with the events that followed, read in steps.
///
/// A ranker is trained on them: the query, what was shown in which order, and what was clicked and
/// bought at which position. Searches of people who refuse training are left out.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// # use vitrine::{Database, Options};
/// use vitrine::{RecordedSearches, schemas::SearchEvent};
///
/// # let folder = tempfile::tempdir()?;
/// # let database = Database::open(folder.path(), Options::default())?;
/// # let config = json!({"vectors": {"shared": {"dim": 2}}});
/// let shop = database.create_collection("shop", serde_json::from_value(config)?)?;
/// shop.record_search(SearchEvent {
///     request_id: "r1".into(),
///     query: "Red  Shoes".into(),
///     shown: vec!["a".into(), "b".into()],
///     hits: 2,
///     ..SearchEvent::default()
/// });
/// let click = json!([{
///     "kind": "click", "collection": "shop", "session": "s1", "items": ["b"], "request_id": "r1"
/// }]);
/// database.append_events(&serde_json::from_value::<Vec<_>>(click)?)?;
///
/// let mut searches = RecordedSearches::new(shop, &Default::default())?;
/// let found = searches.step()?.unwrap_or_default();
/// assert_eq!(found[0].search.query, "red shoes");
/// assert_eq!(found[0].events[0].position, Some(2));
/// assert!(searches.step()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordedSearches {
    collection: Arc<Collection>,
    follow_ups: FollowUps,
    after: EventRef,
    before: i64,
}

impl RecordedSearches {
    /// Prepares to read the searches; those still queued are written first.
    ///
    /// # Errors
    /// An invalid time, or the store failed.
    pub fn new(collection: Arc<Collection>, params: &SearchTimeParams) -> Result<Self> {
        let range = collection.time_range(params)?;
        let log = collection.search_log();
        log.flush()?;
        let is_permitted = collection.is_permitted(Purposes::TRAINING_ON_SEARCHES);
        let follow_ups = log.follow_ups(range.start, &is_permitted)?;
        drop(is_permitted);
        Ok(Self {
            follow_ups,
            after: EventRef::first_at(range.start),
            before: range.end,
            collection,
        })
    }

    /// Returns the next searches, the oldest first; None at the end.
    ///
    /// # Errors
    /// The store failed.
    pub fn step(&mut self) -> Result<Option<Vec<SearchOutcome>>> {
        let log = self.collection.search_log();
        let searches = log.after(
            self.after,
            self.before,
            &self.collection.is_permitted(Purposes::TRAINING_ON_SEARCHES),
            STEP_SEARCHES,
        )?;
        let Some((last, _)) = searches.last() else {
            return Ok(None);
        };
        self.after = *last;
        let outcomes = searches.into_iter();
        let outcomes = outcomes.map(|(at, search)| self.follow_ups.join(at, search));
        Ok(Some(outcomes.collect()))
    }
}
