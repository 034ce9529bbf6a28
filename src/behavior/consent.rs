//! Consent of users and sessions: the purposes that their events may be used for.
//!
//! An event with a user goes by the consent of the user. One without goes by that of the session,
//! and by those of all users who were seen in the session: what someone did before a log-in must
//! not be used if they refuse. The event log keeps the permitted purposes by number
//! ([`SubjectTable`](super::subjects::SubjectTable)), so that reading it costs nothing more.

use std::{
    collections::HashMap,
    ops::BitAnd,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use vitrine_schemas::{ConsentConfig, ConsentDecision, ConsentDecisions, ConsentStatus, Event};

use super::Behavior;
use crate::{
    Error, Result,
    events::Subject,
    storage::{Batch, NameHash, Store, StoredConsent, SubjectHash},
};

/// A set of purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purposes(u8);

impl Purposes {
    /// Answers to the user or session.
    pub const RECOMMENDATIONS: Self = Self(1);
    /// Answers to others.
    pub const TRAINING: Self = Self(2);
    /// Figures of searches.
    pub const ANALYTICS: Self = Self(4);
    /// Figures of searches that others get, such as suggestions.
    pub const TRAINING_ON_SEARCHES: Self = Self(2 + 4);
    /// All purposes together.
    pub const EVERY_USE: Self = Self(7);

    /// Returns true if all purposes of another set are in this one.
    pub fn contains(self, other: Self) -> bool {
        self & other == other
    }

    /// Returns the purposes with a decision.
    fn decided(decisions: &ConsentDecisions, decision: ConsentDecision) -> Self {
        let purposes = [
            (decisions.recommendations, Self::RECOMMENDATIONS),
            (decisions.training, Self::TRAINING),
            (decisions.analytics, Self::ANALYTICS),
        ];
        let decided = purposes.iter().filter(|(d, _)| *d == Some(decision));
        Self(decided.fold(0, |all, (_, purpose)| all | purpose.0))
    }

    /// Returns the purposes without a decision that are permitted.
    fn by_default(config: &ConsentConfig) -> Self {
        match config.default {
            ConsentDecision::Granted => Self::EVERY_USE,
            ConsentDecision::Denied => Self(0),
        }
    }

    fn decision(self, purpose: Self) -> ConsentDecision {
        match self.contains(purpose) {
            true => ConsentDecision::Granted,
            false => ConsentDecision::Denied,
        }
    }
}

impl BitAnd for Purposes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Purposes granted and denied; the default applies to the others.
#[derive(Clone, Copy)]
struct Decided {
    granted: Purposes,
    denied: Purposes,
}

impl From<&ConsentDecisions> for Decided {
    fn from(decisions: &ConsentDecisions) -> Self {
        Self {
            granted: Purposes::decided(decisions, ConsentDecision::Granted),
            denied: Purposes::decided(decisions, ConsentDecision::Denied),
        }
    }
}

/// Consents of the users, or of the sessions, of a collection.
pub(crate) struct ConsentTable {
    default: Purposes,
    decided: HashMap<NameHash, Decided>,
}

impl Default for ConsentTable {
    fn default() -> Self {
        Self {
            default: Purposes::EVERY_USE,
            decided: HashMap::new(),
        }
    }
}

impl ConsentTable {
    /// Returns the purposes that a user or session permits.
    pub fn of(&self, name: &NameHash) -> Purposes {
        self.with_default(self.decided.get(name).copied())
    }

    fn with_default(&self, decided: Option<Decided>) -> Purposes {
        decided.map_or(self.default, |decided| {
            Purposes((self.default.0 | decided.granted.0) & !decided.denied.0)
        })
    }

    fn set(&mut self, name: NameHash, decided: Option<Decided>) {
        match decided {
            Some(decided) => self.decided.insert(name, decided),
            None => self.decided.remove(&name),
        };
    }

    /// Returns the bytes of memory.
    pub fn memory(&self) -> usize {
        self.decided.capacity() * 8 / 7 * (size_of::<(NameHash, Decided)>() + 1)
    }
}

/// Bytes of memory of a new consent.
pub(crate) const CONSENT_BYTES: u64 = 48;

/// A table that copies of the event log share.
pub(crate) type SharedConsents = Arc<RwLock<ConsentTable>>;

/// Consents of a collection. The locks are taken last, and for no longer than a look-up.
#[derive(Clone, Default)]
pub(crate) struct Consents {
    pub users: SharedConsents,
    pub sessions: SharedConsents,
}

impl Consents {
    /// Reads the stored consents.
    pub fn open(store: &Store, collection: u32, config: &ConsentConfig) -> Result<Self> {
        let consents = Self::default();
        consents.set_default(config);
        store.scan_consents(collection, |subject, consent| {
            consents.set(subject, Some(&consent.decisions));
        })?;
        Ok(consents)
    }

    fn of(&self, subject: SubjectHash) -> Purposes {
        let (table, name) = self.table_of(subject);
        table.read().of(&name)
    }

    /// Returns the purposes that a user or session would permit by these decisions.
    fn if_decided(&self, subject: SubjectHash, decisions: Option<&ConsentDecisions>) -> Purposes {
        let (table, _) = self.table_of(subject);
        table.read().with_default(decisions.map(Decided::from))
    }

    pub(super) fn set(&self, subject: SubjectHash, decisions: Option<&ConsentDecisions>) {
        let (table, name) = self.table_of(subject);
        table.write().set(name, decisions.map(Decided::from));
    }

    fn table_of(&self, subject: SubjectHash) -> (&SharedConsents, NameHash) {
        match subject {
            SubjectHash::User(name) => (&self.users, name),
            SubjectHash::Session(name) => (&self.sessions, name),
        }
    }

    /// Returns true if a default takes away training where no decision was made.
    fn is_withdrawn_by(&self, config: &ConsentConfig) -> bool {
        let allows_training = |default: Purposes| default.contains(Purposes::TRAINING);
        allows_training(self.users.read().default) && !allows_training(Purposes::by_default(config))
    }

    /// Sets the default; returns true if it changed.
    fn set_default(&self, config: &ConsentConfig) -> bool {
        let default = Purposes::by_default(config);
        let mut users = self.users.write();
        let changes = users.default != default;
        users.default = default;
        self.sessions.write().default = default;
        changes
    }
}

impl Behavior {
    /// Returns the consents.
    pub fn consents(&self) -> &Consents {
        &self.consents
    }

    /// Returns true if others may learn from an event.
    pub fn permits_training(&self, event: &Event) -> bool {
        let (user, session) = (event.user.as_deref(), event.session.as_deref());
        self.permits(user, session, Purposes::TRAINING)
    }

    /// Returns true if events and searches of a user, or else of a session, may be used for these
    /// purposes.
    pub fn permits(&self, user: Option<&str>, session: Option<&str>, purposes: Purposes) -> bool {
        self.log.read().permits(user, session, purposes)
    }

    /// Returns true if a user or session has made decisions.
    pub fn has_consent(&self, subject: &Subject) -> bool {
        let (table, name) = self.consents.table_of(subject.hash());
        table.read().decided.contains_key(&name)
    }

    /// Returns the consent of a user or session.
    pub fn consent(&self, subject: &Subject) -> Result<ConsentStatus> {
        let hash = subject.hash();
        let stored = self.store.consent(self.collection, hash)?;
        let permitted = self.consents.of(hash);
        Ok(ConsentStatus {
            recommendations: permitted.decision(Purposes::RECOMMENDATIONS),
            training: permitted.decision(Purposes::TRAINING),
            analytics: permitted.decision(Purposes::ANALYTICS),
            changed_at: stored.map(|consent| consent.changed_at.to_rfc3339()),
        })
    }

    /// Stores the consent of a user or session, and applies it to the log; None removes it. If it
    /// withdraws events from training, the next one is due.
    ///
    /// # Errors
    /// The collection was dropped, or the store failed.
    pub fn set_consent(
        &self,
        subject: &Subject,
        decisions: Option<&ConsentDecisions>,
    ) -> Result<()> {
        let _replacing = self.replacing.lock();
        let hash = subject.hash();
        let changed_at = DateTime::from_timestamp_micros(self.clock.now());
        let consent = decisions.map(|decisions| StoredConsent {
            decisions: *decisions,
            changed_at: changed_at.unwrap_or_else(Utc::now),
        });
        // Under the lock of the list: nothing is written for a collection that was dropped. Disk
        // space is not checked, so that a withdrawal is possible with a full disk.
        let mut list = self.list.lock();
        let mut next = list.clone().ok_or(Error::Cancelled)?;
        let mut batch = Batch::default();
        batch.put_consent(self.collection, hash, consent.as_ref())?;
        let is_training = |purposes: Purposes| purposes.contains(Purposes::TRAINING);
        let before = is_training(self.consents.of(hash));
        if before && !is_training(self.consents.if_decided(hash, decisions)) {
            next.withdrawn = true;
            batch.put_model_list(self.collection, &next)?;
        }
        self.store.write(batch)?;
        self.removals.fetch_add(1, Relaxed);
        *list = Some(next);
        drop(list);
        self.apply_consent(hash, consent.as_ref());
        self.store.flush()
    }

    /// Applies a stored consent to what is in memory.
    pub fn apply_consent(&self, subject: SubjectHash, consent: Option<&StoredConsent>) {
        let decisions = consent.map(|consent| &consent.decisions);
        self.consents.set(subject, decisions);
        self.log.write().apply_consent(subject);
        self.consent_changes.fetch_add(1, Relaxed);
    }

    /// Returns the number of changes of what may be used since the start.
    pub fn consent_changes(&self) -> u64 {
        self.consent_changes.load(Relaxed)
    }

    /// Notes that a default that is about to be stored withdraws events, so that a crash does not
    /// forget it.
    pub fn prepare_consent(&self, config: &ConsentConfig) {
        if self.consents.is_withdrawn_by(config) {
            self.note_withdrawal();
        }
    }

    /// Applies another default of consent. If it withdraws events from training, the next one is
    /// due.
    pub fn configure_consent(&self, config: &ConsentConfig) {
        let _replacing = self.replacing.lock();
        let withdraws = self.consents.is_withdrawn_by(config);
        if self.consents.set_default(config) {
            self.log.write().apply_all_consents();
            self.consent_changes.fetch_add(1, Relaxed);
        }
        if withdraws {
            self.note_withdrawal();
        }
    }
}
