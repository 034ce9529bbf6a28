//! Rows that may be used for a purpose, and counts by item of those that others may learn from.

use std::collections::BTreeSet;

use vitrine_schemas::Event;

use super::{Log, NONE, Purposes, Row};
use crate::storage::{NameHash, SubjectHash};

impl Log {
    /// Counts all rows by item again.
    pub(super) fn recount_all(&mut self) {
        (self.daily, self.exposures) = Default::default();
        let rows = std::mem::take(&mut self.rows);
        let live = rows.iter(0).filter(|row| row.item != NONE);
        live.for_each(|row| self.count(row));
        self.rows = rows;
    }

    /// Returns the purposes that a row may be used for.
    pub(super) fn permitted(&self, row: &Row) -> Purposes {
        match row.user {
            NONE => self.sessions.permitted(row.session),
            user => self.users.permitted(user),
        }
    }

    /// Returns true if the events of a user, or else of a session, may be used for these purposes.
    pub fn permits(&self, user: Option<&str>, session: Option<&str>, purposes: Purposes) -> bool {
        let permitted = match (user, session) {
            (Some(user), _) => self.users.permitted_to(user),
            (None, Some(session)) => self.sessions.permitted_to(session),
            (None, None) => Purposes::EVERY_USE,
        };
        permitted.contains(purposes)
    }

    /// Returns true if others may learn from a row.
    fn is_counted(&self, row: &Row) -> bool {
        !self.is_private && self.permitted(row).contains(Purposes::TRAINING)
    }

    /// Counts a row by item, if others may learn from it.
    pub(super) fn count(&mut self, row: &Row) {
        if !self.is_counted(row) {
            return;
        }
        if let Some(weight) = self.weights.of(row.kind, row.value) {
            self.daily.add(row.item, row.micros(), weight);
        }
        if row.is_exposure() {
            self.exposures.add(row.item, row.kind);
        }
    }

    /// Subtracts a row that was counted.
    pub(super) fn uncount(&mut self, row: &Row) {
        if !self.is_counted(row) {
            return;
        }
        if let Some(weight) = self.weights.of(row.kind, row.value) {
            self.daily.remove(row.item, row.micros(), weight);
        }
        if row.is_exposure() {
            self.exposures.remove(row.item, row.kind);
        }
    }

    /// Makes a change of what rows may be used for, and counts them by item accordingly.
    fn recount(&mut self, numbers: &[u32], change: impl FnOnce(&mut Self)) {
        let rows = numbers.iter().filter_map(|number| self.rows.get(*number));
        let rows: Vec<Row> = rows.filter(|row| row.item != NONE).copied().collect();
        rows.iter().for_each(|row| self.uncount(row));
        change(self);
        rows.iter().for_each(|row| self.count(row));
    }

    /// Applies a changed consent of a user or session.
    pub fn apply_consent(&mut self, subject: SubjectHash) {
        match subject {
            SubjectHash::User(name) => self.apply_consent_of_user(&name),
            SubjectHash::Session(name) => {
                if let Some(session) = self.sessions.number(&name) {
                    let rows = self.rows_without_user(session);
                    self.recount(&rows, |log| log.sessions.refresh(&name));
                }
            }
        }
    }

    fn apply_consent_of_user(&mut self, name: &NameHash) {
        let Some(user) = self.users.number(name) else {
            return;
        };
        let last = self.users.last_of(user);
        let (mut rows, mut sessions) = (Vec::new(), BTreeSet::new());
        for (number, row) in self.rows.chain(last, |row| row.before_user) {
            rows.push(number);
            sessions.extend(Some(row.session).filter(|session| *session != NONE));
        }
        for session in &sessions {
            rows.extend(self.rows_without_user(*session));
        }
        self.recount(&rows, |log| {
            log.users.refresh(name);
            for session in sessions {
                let of_session = log.rows_of_session(session);
                let users = of_session.filter(|(_, row)| row.user != NONE);
                let permitted = users.map(|(_, row)| log.users.permitted(row.user));
                let permitted = permitted.fold(Purposes::EVERY_USE, |all, user| all & user);
                log.sessions.set_permitted_by_users(session, permitted);
            }
        });
    }

    /// Applies all consents again.
    pub fn apply_all_consents(&mut self) {
        self.users.refresh_all();
        self.sessions.refresh_all();
        for row in self.rows.iter(0).filter(|row| row.item != NONE) {
            if row.user != NONE && row.session != NONE {
                let permitted = self.users.permitted(row.user);
                let all = self.sessions.permitted_by_users(row.session) & permitted;
                self.sessions.set_permitted_by_users(row.session, all);
            }
        }
        self.recount_all();
    }

    /// Restricts the session of an event to what its user permits; returns true if that withdraws
    /// rows from training.
    pub(super) fn restrict_session_of(&mut self, event: &Event) -> bool {
        let (Some(user), Some(session)) = (&event.user, &event.session) else {
            return false;
        };
        let permitted = self.users.permitted_to(user);
        if permitted == Purposes::EVERY_USE {
            return false;
        }
        let session = self.sessions.number_of(session);
        self.restrict_session(session, permitted)
    }

    /// Restricts a session to what a user permits who was seen in it; returns true if that
    /// withdraws rows from training.
    pub(super) fn restrict_session(&mut self, session: u32, permitted: Purposes) -> bool {
        let before = self.sessions.permitted_by_users(session);
        let after = before & permitted;
        if after == before {
            return false;
        }
        let trained = self.sessions.permitted(session);
        let rows = self.rows_without_user(session);
        self.recount(&rows, |log| {
            log.sessions.set_permitted_by_users(session, after);
        });
        trained.contains(Purposes::TRAINING)
            && !after.contains(Purposes::TRAINING)
            && !rows.is_empty()
    }

    fn rows_of_session(&self, session: u32) -> impl Iterator<Item = (u32, &Row)> {
        let last = self.sessions.last_of(session);
        self.rows.chain(last, |row| row.before_session)
    }

    /// Returns the rows of a session without a user.
    fn rows_without_user(&self, session: u32) -> Vec<u32> {
        let rows = self.rows_of_session(session);
        let rows = rows.filter(|(_, row)| row.user == NONE);
        rows.map(|(number, _)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{Rng, SeedableRng, rngs::StdRng};
    use serde_json::json;
    use vitrine_schemas::{BehaviorConfig, ConsentDecision, ConsentDecisions};

    use super::*;
    use crate::{
        behavior::{Consents, Horizons},
        events::Subject,
    };

    fn event(fields: serde_json::Value) -> Event {
        let mut event = json!({"kind": "view", "collection": "shop", "session": "s"});
        let fields = fields.as_object().expect("fields").clone();
        event.as_object_mut().expect("fields").extend(fields);
        serde_json::from_value(event).expect("an event")
    }

    /// Returns a log with an item of a session, and the view of another one a day earlier by a user
    /// who refuses training.
    fn log_of_refusal(kind: &str) -> Log {
        let consents = Consents::default();
        let decisions = serde_json::from_value(json!({"training": "denied"}));
        let subject = Subject::User("no".into());
        consents.set(subject.hash(), Some(&decisions.expect("decisions")));
        let mut log = Log::new(Vec::new(), &BehaviorConfig::default(), &consents);
        assert!(!log.add(&event(json!({"items": ["kept"]})), 86_400_000_000));
        let refusing = json!({"kind": kind, "user": "no", "items": ["other"]});
        assert!(log.add(&event(refusing.clone()), 0), "withdraws");
        assert!(!log.add(&event(refusing), 0), "once");
        log
    }

    #[test]
    fn any_event_of_a_user_restricts_the_session() {
        for kind in ["view", "follow", "unfollow", "return"] {
            let log = log_of_refusal(kind);
            assert!(log.session("s", Purposes::TRAINING).is_none(), "{kind}");
            assert!(!log.permits(None, Some("s"), Purposes::TRAINING));
            assert!(log.session("s", Purposes::RECOMMENDATIONS).is_some());
        }
    }

    #[test]
    fn a_session_stays_restricted_without_the_rows_of_the_user() {
        for kind in ["view", "follow"] {
            let log = log_of_refusal(kind);
            let mut copy = log.copy(u64::MAX, Horizons::from_time(1_000_000));
            while copy.step(&log) {}
            let log = copy.finish(&log);
            assert_eq!(log.touches(), 1);
            assert!(log.session("s", Purposes::TRAINING).is_none(), "{kind}");
            assert_eq!(log.daily.count(log.number("kept").expect("known")), 0);
        }
    }

    /// A view of an item, by numbers.
    struct View {
        user: Option<u32>,
        session: u32,
        item: u32,
    }

    /// Returns true if others may learn from a view, by the rule in words: an event with a user
    /// goes by the user; one without by the session, and by all users who were seen in it.
    fn is_usable(view: &View, views: &[View], denied: &BTreeMap<String, bool>) -> bool {
        let denies = |name: String| denied.get(&name).copied().unwrap_or(false);
        if let Some(user) = view.user {
            return !denies(format!("u{user}"));
        }
        let of_session = views.iter().filter(|other| other.session == view.session);
        let mut users = of_session.filter_map(|other| other.user);
        !denies(format!("s{}", view.session)) && !users.any(|user| denies(format!("u{user}")))
    }

    #[test]
    fn counts_follow_every_change_of_consent() {
        let seed = rand::rng().random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let consents = Consents::default();
        let mut log = Log::new(Vec::new(), &BehaviorConfig::default(), &consents);
        let (mut views, mut denied) = (Vec::new(), BTreeMap::new());
        let mut copying = None;
        for second in 0..3_000_i64 {
            let view = View {
                user: random.random_bool(0.4).then(|| random.random_range(0..12)),
                session: random.random_range(0..60),
                item: random.random_range(0..8),
            };
            let event = serde_json::from_value(json!({
                "kind": "view", "collection": "shop", "items": [format!("i{}", view.item)],
                "user": view.user.map(|user| format!("u{user}")),
                "session": format!("s{}", view.session),
            }));
            log.add(&event.expect("an event"), second * 1_000_000);
            views.push(view);
            match random.random_range(0..40) {
                // Consents are not changed while a log is copied.
                0..4 if copying.is_none() => {
                    let (name, subject) = match random.random() {
                        true => {
                            let name = format!("u{}", random.random_range(0..12));
                            (name.clone(), Subject::User(name))
                        }
                        false => {
                            let name = format!("s{}", random.random_range(0..60));
                            (name.clone(), Subject::Session(name))
                        }
                    };
                    let denies = random.random();
                    let decision = match denies {
                        true => ConsentDecision::Denied,
                        false => ConsentDecision::Granted,
                    };
                    denied.insert(name, denies);
                    let decisions = ConsentDecisions {
                        training: Some(decision),
                        ..ConsentDecisions::default()
                    };
                    consents.set(subject.hash(), Some(&decisions));
                    log.apply_consent(subject.hash());
                }
                4 if copying.is_none() => copying = Some(log.copy(u64::MAX, Horizons::default())),
                5 => {
                    if let Some(mut copy) = copying.take() {
                        while copy.step(&log) {}
                        log = copy.finish(&log);
                    }
                }
                6 if copying.is_none() => log.apply_all_consents(),
                _ => {}
            }
        }
        for item in 0..8 {
            let number = log.number(&format!("i{item}")).expect("known");
            let of_item = views.iter().filter(|view| view.item == item);
            let usable = of_item.filter(|view| is_usable(view, &views, &denied));
            assert_eq!(log.daily.count(number) as usize, usable.count(), "i{item}");
        }
        for user in 0..12 {
            let name = format!("u{user}");
            let touched = log.user(&name, Purposes::TRAINING);
            let touched = touched.map_or(0, |activity| activity.touches.len());
            let of_user = views.iter().filter(|view| view.user == Some(user));
            let usable = of_user.filter(|view| is_usable(view, &views, &denied));
            assert_eq!(touched, usable.count(), "{name}");
            let own = log.user(&name, Purposes::RECOMMENDATIONS);
            assert!(own.is_some_and(|own| own.touches.len() >= touched));
        }
    }
}
