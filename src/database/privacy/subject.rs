//! Report about one user or session, for the person themselves.

use vitrine_schemas::{
    ConsentDecision, ConsentStatus, Event, SearchEvent, SubjectEvents, SubjectPrivacy,
    SubjectSearches,
};

use super::{kept, kept_events};
use crate::{
    Collection, Error, Result,
    events::{Subject, day, rfc3339},
    storage::EventRef,
};

/// Maximum number of events, and of searches, of a report.
const MAX_LIMIT: usize = 1000;

impl Collection {
    /// Returns what is stored about a user or session, in words and as records: that which an
    /// erasure would remove, and the consent. Of events and searches, the latest `limit` are
    /// included. With a `reader`, records of other users, who used the same session, are left out.
    ///
    /// # Errors
    /// The name is empty or too long, `limit` is above 1000, or the store failed.
    pub fn subject_privacy(
        &self,
        subject: &Subject,
        limit: usize,
        reader: Option<&str>,
    ) -> Result<SubjectPrivacy> {
        subject.check()?;
        if limit > MAX_LIMIT {
            let detail = format!("expected 0 to {MAX_LIMIT}, got {limit}");
            return Err(Error::invalid("/limit", detail));
        }
        let (mut events, mut searches) = (self.events_of(subject)?, self.searches_of(subject)?);
        if let Some(reader) = reader {
            let is_theirs = |user: &Option<String>| user.as_ref().is_none_or(|u| u == reader);
            events.retain(|(_, event)| is_theirs(&event.user));
            searches.retain(|(_, search)| is_theirs(&search.user));
        }
        let consent = self.consent(subject)?;
        let config = self.config();
        let summary = vec![
            in_words("event", &events, &kept_events(&config.behavior)),
            in_words(
                "recorded search",
                &searches,
                &kept(Some(config.search_log.retention_days)),
            ),
            uses(&consent),
        ];
        Ok(SubjectPrivacy {
            summary,
            consent,
            events: summarized_events(events, limit),
            searches: summarized_searches(searches, limit),
        })
    }
}

/// Sorts records by time; returns the times of the first and the last.
fn sorted<T>(records: &mut [(EventRef, T)]) -> (Option<String>, Option<String>) {
    records.sort_by_key(|(at, _)| *at);
    let time = |record: Option<&(EventRef, T)>| record.map(|(at, _)| rfc3339(at.micros));
    (time(records.first()), time(records.last()))
}

fn latest<T>(records: Vec<(EventRef, T)>, limit: usize) -> Vec<T> {
    let latest = records.into_iter().rev().take(limit);
    latest.map(|(_, record)| record).collect()
}

fn summarized_events(mut events: Vec<(EventRef, Event)>, limit: usize) -> SubjectEvents {
    let (first, last) = sorted(&mut events);
    let mut summary = SubjectEvents {
        total: events.len() as u64,
        first,
        last,
        ..SubjectEvents::default()
    };
    for (_, event) in &events {
        *summary.kinds.entry(event.kind).or_default() += 1;
    }
    summary.latest = latest(events, limit);
    summary
}

fn summarized_searches(
    mut searches: Vec<(EventRef, SearchEvent)>,
    limit: usize,
) -> SubjectSearches {
    let (first, last) = sorted(&mut searches);
    SubjectSearches {
        total: searches.len() as u64,
        first,
        last,
        latest: latest(searches, limit),
    }
}

/// Returns a sentence about records.
fn in_words<T>(name: &str, records: &[(EventRef, T)], kept: &str) -> String {
    let times = || records.iter().map(|(at, _)| at.micros);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return format!("No {name} is stored.");
    };
    let number = records.len();
    let plural = match (number, name.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    let (first, last) = (day(first), day(last));
    format!("{number} {name}{plural} from {first} to {last}; kept {kept}.")
}

/// Returns a sentence about the permitted uses.
fn uses(consent: &ConsentStatus) -> String {
    let purposes = [
        (consent.recommendations, "your own answers"),
        (consent.training, "what others get"),
        (consent.analytics, "figures of searches"),
    ];
    let decided = |wanted| {
        let names = purposes.iter().filter(|(decision, _)| *decision == wanted);
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        }
    };
    format!(
        "Used for: {}. Not used for: {}.",
        decided(ConsentDecision::Granted),
        decided(ConsentDecision::Denied)
    )
}
