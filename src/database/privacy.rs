//! Reports of what a collection stores about people.

mod subject;

use vitrine_schemas::{
    BehaviorConfig, CollectionPrivacy, ConsentCounts, LedgerParams, PersonalData, PersonalDataKind,
};

use crate::{
    Collection, Result, deadline,
    events::rfc3339,
    storage::{Listing, SubjectHash},
};

/// Place of the records.
const DATABASE: &str = "database (data directory)";

/// Time for which data is kept that does not age.
const UNTIL_ERASED: &str = "until the person is erased";

impl Collection {
    /// Returns what is stored about people, why, and for how long. It reads the keys of all events
    /// and searches.
    ///
    /// # Errors
    /// The deadline, or the store failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, database, shop) = support::shop()?;
    /// let event = json!([{"kind": "view", "collection": "shop", "user": "u1", "items": ["a"]}]);
    /// database.append_events(&serde_json::from_value::<Vec<_>>(event)?)?;
    ///
    /// let report = shop.privacy_report()?;
    /// assert_eq!((report.data[0].records, report.data[0].users), (Some(1), Some(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn privacy_report(&self) -> Result<CollectionPrivacy> {
        let config = self.config();
        let consent = self.consent_counts()?;
        let budgets = match &config.privacy {
            Some(_) => self.privacy_ledger(&LedgerParams::default())?.periods,
            None => Vec::new(),
        };
        Ok(CollectionPrivacy {
            data: vec![
                self.stored_events()?,
                self.stored_searches()?,
                stored_consents(&consent),
                self.stored_models(),
            ],
            consent,
            privacy: config.privacy.clone(),
            budgets,
        })
    }

    fn stored_events(&self) -> Result<PersonalData> {
        let (records, oldest) = self.store().event_totals(self.id())?;
        let retention_days = self.config().behavior.retention_days;
        Ok(PersonalData {
            kind: PersonalDataKind::Events,
            what: "ids of user and session, kind, items, time and value of each event".into(),
            place: DATABASE.into(),
            purpose: "answers to themselves; what others get: models, popularity, suggestions"
                .into(),
            kept: kept_events(&self.config().behavior),
            retention_days,
            records: Some(records),
            users: Some(self.count_subjects(Listing::User)?),
            sessions: Some(self.count_subjects(Listing::Session)?),
            oldest: oldest.map(rfc3339),
        })
    }

    fn stored_searches(&self) -> Result<PersonalData> {
        self.search_log().flush()?;
        let (records, oldest) = self.store().search_totals(self.id())?;
        let retention_days = Some(self.config().search_log.retention_days);
        Ok(PersonalData {
            kind: PersonalDataKind::Searches,
            what: "ids of user and session, text, time and shown items of each search".into(),
            place: DATABASE.into(),
            purpose: "figures of searches, results of experiments, rankers, suggestions".into(),
            kept: kept(retention_days),
            retention_days,
            records: Some(records),
            users: Some(self.count_subjects(Listing::SearchUser)?),
            sessions: Some(self.count_subjects(Listing::SearchSession)?),
            oldest: oldest.map(rfc3339),
        })
    }

    fn stored_models(&self) -> PersonalData {
        let models = self.models().models;
        PersonalData {
            kind: PersonalDataKind::Models,
            what: "numbers learned from the events of all: pairs of items, sequences of items \
                   without ids, popularity"
                .into(),
            place: DATABASE.into(),
            purpose: "what others get".into(),
            kept: "until they are trained anew; after an erasure at once".into(),
            retention_days: None,
            records: Some(models.len() as u64),
            users: models
                .iter()
                .find(|model| model.active)
                .map(|model| model.people),
            sessions: None,
            oldest: None,
        }
    }

    fn count_subjects(&self, listing: Listing) -> Result<u64> {
        let (mut count, ticker) = (0, deadline::Ticker::default());
        self.store().scan_subjects(self.id(), listing, |_| {
            count += 1;
            ticker.tick()
        })?;
        Ok(count)
    }

    fn consent_counts(&self) -> Result<ConsentCounts> {
        let mut counts = ConsentCounts {
            default: self.config().consent.default,
            ..ConsentCounts::default()
        };
        self.store().scan_consents(self.id(), |subject, consent| {
            match subject {
                SubjectHash::User(_) => counts.users += 1,
                SubjectHash::Session(_) => counts.sessions += 1,
            }
            counts
                .recommendations
                .add(consent.decisions.recommendations);
            counts.training.add(consent.decisions.training);
            counts.analytics.add(consent.decisions.analytics);
        })?;
        Ok(counts)
    }
}

fn stored_consents(counts: &ConsentCounts) -> PersonalData {
    PersonalData {
        kind: PersonalDataKind::Consents,
        what: "decisions about purposes and their time, by a hash of the id".into(),
        place: DATABASE.into(),
        purpose: "to use data for no other purpose".into(),
        kept: "until the consent is removed, also if the person is erased".into(),
        retention_days: None,
        records: Some(counts.users + counts.sessions),
        users: Some(counts.users),
        sessions: Some(counts.sessions),
        oldest: None,
    }
}

/// Returns in words how long events are kept.
fn kept_events(config: &BehaviorConfig) -> String {
    let mut text = kept(config.retention_days);
    for (kind, days) in &config.retention_days_by_kind {
        let kind = serde_json::to_value(kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default();
        text += &format!("; events of kind {kind} for {days} days");
    }
    let expires = config.retention_days.is_some() || !config.retention_days_by_kind.is_empty();
    match expires {
        true => text + "; follows until unfollowed",
        false => text,
    }
}

/// Returns in words how long records are kept.
fn kept(retention_days: Option<f64>) -> String {
    match retention_days {
        Some(days) => format!("for {days} days, or {UNTIL_ERASED}"),
        None => UNTIL_ERASED.to_owned(),
    }
}
