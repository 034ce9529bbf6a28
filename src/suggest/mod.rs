//! Suggestions while a query is typed: popular queries, categories, brands and phrases of titles.
//!
//! They are built from the stored items and the search log in the background, as a whole, when
//! either has changed, with pauses in proportion to the time of a build. Requests use the last
//! build. An entry that few items have knows these, so it disappears with them at once.

mod catalog;
mod entry;
mod fold;
mod highlight;
mod index;
mod phrases;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use vitrine_schemas::{SuggestConfig, SuggestParams, SuggestResponse, Suggestion, SuggestionKind};

pub(crate) use self::{catalog::CatalogCounts, entry::Entry};
use self::{fold::Folded, index::SuggestIndex};
use crate::{Error, Result, search_log::PopularQuery};

/// Maximum number of suggestions of a request.
const MAX_LIMIT: usize = 50;

/// Maximum characters of a text that is completed.
const MAX_TYPED_CHARS: usize = 512;

/// Pause between builds, as a multiple of the duration of the last one.
const PAUSE_PER_BUILD_TIME: u32 = 20;

/// Minimum pause between builds.
const MIN_PAUSE: Duration = Duration::from_millis(250);

/// All kinds, in the order of the wire format.
const KINDS: [SuggestionKind; 4] = [
    SuggestionKind::Query,
    SuggestionKind::Category,
    SuggestionKind::Brand,
    SuggestionKind::Phrase,
];

/// Version of the sources of suggestions, to notice changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceVersion {
    /// Number of writes to the items.
    pub writes: u64,
    /// Number of searches recorded, and of those in the log.
    pub searches: [u64; 2],
    /// Number of changes of consent since the start.
    pub consents: u64,
    pub config: SuggestConfig,
}

/// The suggestions of a collection.
#[derive(Default)]
pub(crate) struct Suggestions {
    built: ArcSwapOption<Build>,
    schedule: Mutex<Schedule>,
}

/// A finished build.
struct Build {
    index: SuggestIndex,
    /// Time, RFC 3339.
    at: String,
    bytes: u64,
}

#[derive(Clone, Default)]
struct Schedule {
    version: Option<SourceVersion>,
    /// End of the pause after a build.
    rested: Option<Instant>,
}

impl Suggestions {
    /// Takes over the last build of an earlier copy of the same collection, until the next build.
    pub fn inherit(&self, earlier: &Self) {
        self.built.store(earlier.built.load_full());
        let earlier = earlier.schedule.lock().clone();
        *self.schedule.lock() = earlier;
    }

    /// Returns true if a build is due: the sources have another version, and the pause is over.
    pub fn is_due(&self, version: &SourceVersion) -> bool {
        let schedule = self.schedule.lock();
        schedule.version.as_ref() != Some(version)
            && schedule
                .rested
                .is_none_or(|rested| Instant::now() >= rested)
    }

    /// Builds the suggestions of the items and queries. `at` is the time now, RFC 3339.
    ///
    /// # Errors
    /// The index cannot be built.
    pub fn build(
        &self,
        version: SourceVersion,
        catalog: CatalogCounts,
        queries: Vec<PopularQuery>,
        started: Instant,
        at: String,
    ) -> Result<()> {
        let mut entries = catalog.entries();
        entries.extend(queries.into_iter().map(Entry::from));
        let blocked = Blocked::new(&version.config.blocked);
        entries.retain(|entry| !blocked.has(&entry.key));
        let index = SuggestIndex::new(entries);
        let index = index.map_err(|e| Error::Storage(format!("suggestions: {e}")))?;
        let bytes = index.bytes();
        let seconds = started.elapsed().as_secs_f64();
        tracing::debug!(entries = index.len(), bytes, seconds, "suggestions built");
        self.built.store(Some(Arc::new(Build { index, at, bytes })));
        let pause = (started.elapsed() * PAUSE_PER_BUILD_TIME).max(MIN_PAUSE);
        *self.schedule.lock() = Schedule {
            version: Some(version),
            rested: Some(Instant::now() + pause),
        };
        Ok(())
    }

    /// Completes a text; `is_shown` decides whether an item with an id may be shown.
    ///
    /// # Errors
    /// The text is too long, `limit` is out of range, or a kind is unknown.
    pub fn complete(
        &self,
        params: &SuggestParams,
        is_shown: impl Fn(&str) -> bool,
    ) -> Result<SuggestResponse> {
        let started = Instant::now();
        let kinds = check(params)?;
        let Some(build) = self.built.load_full() else {
            return Ok(SuggestResponse::default());
        };
        let is_shown =
            |entry: &Entry| entry.members.is_empty() || entry.members.iter().any(|id| is_shown(id));
        let found = build
            .index
            .complete(&params.q, params.limit, &kinds, is_shown);
        let suggestions = found.into_iter().map(|found| Suggestion {
            text: found.entry.text.to_string(),
            kind: found.entry.kind,
            items: found.entry.items,
            category: found.entry.category.as_deref().map(str::to_owned),
            fragments: highlight::fragments(&found.entry.text, &params.q),
            typos: found.typos,
        });
        Ok(SuggestResponse {
            suggestions: suggestions.collect(),
            built_at: Some(build.at.clone()),
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// Returns the approximate bytes in memory.
    pub fn bytes(&self) -> u64 {
        self.built.load().as_ref().map_or(0, |build| build.bytes)
    }
}

fn check(params: &SuggestParams) -> Result<Vec<SuggestionKind>> {
    if !(1..=MAX_LIMIT).contains(&params.limit) {
        let detail = format!("expected 1 to {MAX_LIMIT}, got {}", params.limit);
        return Err(Error::invalid("/limit", detail));
    }
    let chars = params.q.chars().count();
    if chars > MAX_TYPED_CHARS {
        let detail = format!("expected at most {MAX_TYPED_CHARS} characters, got {chars}");
        return Err(Error::invalid("/q", detail));
    }
    if params.kinds.is_empty() {
        return Ok(KINDS.to_vec());
    }
    let kinds = params.kinds.iter().map(|name| {
        serde_json::from_value(name.as_str().into()).map_err(|_| {
            let detail = format!("expected query, category, brand or phrase, got `{name}`");
            Error::invalid("/kinds", detail)
        })
    });
    kinds.collect()
}

/// Words and phrases that no suggestion has.
struct Blocked(Vec<String>);

impl Blocked {
    fn new(phrases: &[String]) -> Self {
        let folded = phrases.iter().map(|phrase| Folded::new(phrase).text());
        Self(folded.filter(|phrase| !phrase.is_empty()).collect())
    }

    /// Returns true if a folded text has a blocked phrase: as words, or anywhere in a text that is
    /// written without spaces.
    fn has(&self, key: &str) -> bool {
        let words = format!(" {key} ");
        self.0.iter().any(|blocked| {
            words.contains(&format!(" {blocked} "))
                || blocked.chars().any(crate::lexical::is_han) && key.contains(blocked)
        })
    }
}
