//! Consent: what users and sessions refuse is not used, for answers, models and figures.

use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Options, RecordedSearches, Subject, Training,
    schemas::{
        BoughtTogetherParams, ConsentDecision, Event, PopularParams, QueryFiguresParams,
        RecommendRequest, SearchEvent, SearchTimeParams,
    },
};

use crate::support::put;

struct Shop {
    folder: tempfile::TempDir,
    db: Database,
}

impl Shop {
    fn new(consent: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = open(&folder);
        let config = json!({"vectors": {"shared": {"dim": 2}}, "consent": {"default": consent}});
        let config = serde_json::from_value(config).expect("a config");
        let shop = db.create_collection("shop", config).expect("create");
        let items = (0..10).map(|i| {
            let across = f64::from(i) / 10.0;
            json!({"id": format!("i{i}"), "title": format!("item {i}"), "category": "things",
                "vectors": {"shared": [1.0, across]}})
        });
        put(&shop, &items.collect::<Vec<_>>());
        Self { folder, db }
    }

    fn shop(&self) -> Arc<Collection> {
        self.db.collection("shop").expect("open")
    }

    fn send(&self, event: Value) {
        let mut fields = json!({"kind": "purchase", "collection": "shop"});
        let given = event.as_object().expect("fields").clone();
        fields.as_object_mut().expect("fields").extend(given);
        let event: Event = serde_json::from_value(fields).expect("an event");
        self.db.append_events(&[event]).expect("stored");
    }

    fn decide(&self, subject: &Subject, decisions: Value) {
        let decisions = serde_json::from_value(decisions).expect("decisions");
        let set = self.shop().set_consent(subject, Some(&decisions));
        set.expect("stored");
    }

    fn train(&self) {
        self.shop().train(&Training::default()).expect("trained");
    }

    /// Ids and numbers of events of the popular items with events.
    fn popular(&self) -> Vec<(String, u64)> {
        let params = serde_json::from_value::<PopularParams>(json!({"limit": 10}));
        let popular = self.shop().popular(&params.expect("parameters"));
        let hits = popular.expect("an answer").hits.into_iter();
        let hits = hits.filter(|hit| hit.events > 0);
        let mut hits: Vec<_> = hits.map(|hit| (hit.id, hit.events)).collect();
        hits.sort();
        hits
    }

    fn bought_with(&self, item: &str) -> Vec<String> {
        let params = serde_json::from_value::<BoughtTogetherParams>(json!({}));
        let together = self
            .shop()
            .bought_together(item, &params.expect("parameters"));
        let hits = together.expect("an answer").hits.into_iter();
        hits.map(|hit| hit.id).collect()
    }

    /// Number of items of the history that a recommendation starts from.
    fn history(&self, request: Value) -> u64 {
        let request: RecommendRequest = serde_json::from_value(request).expect("a request");
        let answer = self.shop().recommend(&request, None);
        answer.expect("an answer").history
    }

    fn search(&self, id: &str, user: &str, query: &str) {
        self.shop().record_search(SearchEvent {
            request_id: id.into(),
            query: query.into(),
            user: Some(user.into()),
            hits: 1,
            ..SearchEvent::default()
        });
    }

    fn queries(&self) -> Vec<String> {
        let params = serde_json::from_value::<QueryFiguresParams>(json!({}));
        let figures = self.shop().query_figures(&params.expect("parameters"));
        let queries = figures.expect("figures").queries.into_iter();
        queries.map(|query| query.query).collect()
    }

    fn restart(self) -> Self {
        drop(self.db);
        let db = open(&self.folder);
        Self { db, ..self }
    }
}

fn open(folder: &tempfile::TempDir) -> Database {
    let options = Options {
        // Trainings are those that the tests ask for.
        index_threads: 0,
        ..Options::default()
    };
    Database::open(folder.path(), options).expect("open")
}

fn user(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

#[test]
fn others_learn_nothing_from_those_who_refuse_training() {
    let shop = Shop::new("granted");
    shop.decide(&user("no"), json!({"training": "denied"}));
    shop.send(json!({"user": "yes", "items": ["i1", "i2"]}));
    shop.send(json!({"user": "no", "items": ["i1", "i3"]}));
    shop.train();
    shop.send(json!({"user": "no", "items": ["i4", "i5"]}));
    let counted = [("i1".to_owned(), 1), ("i2".to_owned(), 1)];
    assert_eq!(shop.popular(), counted, "neither trained nor counted live");
    assert_eq!(shop.bought_with("i1"), ["i2"]);
    assert!(shop.bought_with("i4").is_empty());
    let sequences = shop.shop().sequences().sequences;
    assert_eq!(sequences.len(), 1, "{sequences:?}");
    let mut events = 0;
    let each = |_, event: Event| {
        assert_eq!(event.user.as_deref(), Some("yes"));
        events += 1;
    };
    shop.shop().for_each_event(each).expect("read");
    assert_eq!(events, 1);
    assert_eq!(shop.history(json!({"user": "no"})), 4, "their own answers");
}

#[test]
fn answers_are_not_personal_for_those_who_refuse_recommendations() {
    let shop = Shop::new("granted");
    shop.send(json!({"user": "no", "session": "s", "items": ["i1"]}));
    shop.send(json!({"session": "s", "items": ["i2"]}));
    shop.decide(&user("no"), json!({"recommendations": "denied"}));
    for request in [
        json!({"user": "no"}),
        json!({"session": "s"}),
        json!({"user": "no", "session": "other"}),
    ] {
        assert_eq!(shop.history(request.clone()), 0, "{request}");
    }
    let request = json!({"user": "no", "positives": ["i1"]});
    assert_eq!(shop.history(request), 1, "what the request itself names");
    shop.train();
    assert_eq!(shop.popular().len(), 2, "others learn from them");
}

#[test]
fn what_was_done_before_a_log_in_goes_by_the_user() {
    let shop = Shop::new("granted");
    shop.decide(&user("no"), json!({"training": "denied"}));
    shop.send(json!({"session": "s", "items": ["i1"]}));
    assert_eq!(shop.popular().len(), 1, "nobody knows yet");
    shop.send(json!({"session": "s", "user": "no", "items": ["i2"]}));
    assert_eq!(shop.popular(), []);
    shop.send(json!({"session": "s", "items": ["i3"]}));
    assert_eq!(shop.popular(), []);
    shop.decide(&user("no"), json!({"training": "granted"}));
    assert_eq!(shop.popular().len(), 3);
    let session = Subject::Session("s".into());
    shop.decide(&session, json!({"training": "denied"}));
    assert_eq!(shop.popular(), [("i2".to_owned(), 1)]);
}

#[test]
fn a_withdrawal_acts_on_answers_at_once_and_on_models_at_the_next_training() {
    let shop = Shop::new("granted");
    shop.send(json!({"user": "u", "items": ["i1", "i2"]}));
    shop.train();
    assert_eq!(shop.bought_with("i1"), ["i2"]);
    shop.decide(
        &user("u"),
        json!({"training": "denied", "recommendations": "denied"}),
    );
    assert_eq!(shop.history(json!({"user": "u"})), 0);
    assert_eq!(shop.popular(), [], "counts of events are at once");
    assert_eq!(shop.bought_with("i1"), ["i2"], "the model is the old one");
    let shop = shop.restart();
    assert_eq!(shop.history(json!({"user": "u"})), 0);
    let before = shop.shop().models().models;
    shop.train();
    assert!(shop.bought_with("i1").is_empty());
    let after = shop.shop().models().models;
    assert_eq!(after.len(), 1, "no older model is kept: {before:?}");
    // The events are kept, and used again if they agree.
    shop.shop().set_consent(&user("u"), None).expect("removed");
    assert_eq!(shop.history(json!({"user": "u"})), 2);
    shop.train();
    assert_eq!(shop.bought_with("i1"), ["i2"]);
}

#[test]
fn with_the_default_denied_only_those_who_agree_are_used() {
    let shop = Shop::new("denied");
    shop.send(json!({"user": "silent", "items": ["i1"]}));
    shop.send(json!({"user": "yes", "items": ["i2"]}));
    shop.decide(&user("yes"), json!({"training": "granted"}));
    assert_eq!(shop.popular(), [("i2".to_owned(), 1)]);
    assert_eq!(shop.history(json!({"user": "yes"})), 0, "each purpose");
    let consent = shop.shop().consent(&user("silent")).expect("read");
    assert_eq!(consent.training, ConsentDecision::Denied);
    assert_eq!(consent.changed_at, None);
    // The default may change.
    let patch = serde_json::from_value(json!({"consent": {"default": "granted"}}));
    let patched = shop.db.patch_collection("shop", patch.expect("a patch"));
    patched.expect("changed");
    assert_eq!(shop.popular().len(), 2);
    assert_eq!(shop.history(json!({"user": "yes"})), 1);
}

#[test]
fn searches_of_those_who_refuse_analytics_are_neither_recorded_nor_counted() {
    let shop = Shop::new("granted");
    shop.search("1", "u", "red");
    shop.search("2", "v", "blue");
    assert_eq!(shop.queries().len(), 2);
    shop.decide(&user("u"), json!({"analytics": "denied"}));
    assert_eq!(shop.queries(), ["blue"]);
    shop.search("3", "u", "green");
    shop.shop().set_consent(&user("u"), None).expect("removed");
    let mut queries = shop.queries();
    queries.sort();
    assert_eq!(queries, ["blue", "red"], "green was not recorded");
}

#[test]
fn a_refusal_outlives_an_erasure_without_the_name() {
    let shop = Shop::new("granted");
    let name = "somebody@example.com";
    shop.decide(&user(name), json!({"training": "denied"}));
    shop.send(json!({"user": name, "items": ["i1"]}));
    shop.db.erase(&user(name), &[shop.shop()]).expect("erased");
    shop.send(json!({"user": name, "items": ["i2"]}));
    assert_eq!(shop.popular(), []);
    let consent = shop.shop().consent(&user(name)).expect("read");
    assert_eq!(consent.training, ConsentDecision::Denied);
    assert!(shop.shop().consent(&user("")).is_err(), "a name is needed");
}

#[test]
fn a_copy_repeats_consents() {
    let shop = Shop::new("granted");
    shop.send(json!({"user": "u", "items": ["i1"]}));
    let (path, operations) = shop.db.checkpoint("first").expect("a copy");
    let options = Options {
        create: false,
        replica: true,
        ..Options::default()
    };
    let copy = Database::open(&path, options).expect("open");
    shop.decide(&user("u"), json!({"recommendations": "denied"}));
    let slice = shop.db.log_since(operations).expect("a log");
    copy.replay(&slice.expect("complete").bytes)
        .expect("repeated");
    let copied = copy.collection("shop").expect("open");
    let consent = copied.consent(&user("u")).expect("read");
    assert_eq!(consent.recommendations, ConsentDecision::Denied);
    let request = serde_json::from_value(json!({"user": "u"})).expect("a request");
    let answer = copied.recommend(&request, None).expect("an answer");
    assert_eq!(answer.history, 0);
}

#[test]
fn a_default_that_is_denied_withdraws_from_models() {
    let shop = Shop::new("granted");
    shop.send(json!({"user": "silent", "items": ["i1", "i2"]}));
    shop.send(json!({"user": "yes", "items": ["i3", "i4"]}));
    shop.decide(&user("yes"), json!({"training": "granted"}));
    shop.train();
    let patch = serde_json::from_value(json!({"consent": {"default": "denied"}}));
    let patched = shop.db.patch_collection("shop", patch.expect("a patch"));
    patched.expect("changed");
    let shop = shop.restart();
    shop.train();
    assert!(shop.bought_with("i1").is_empty());
    assert_eq!(shop.bought_with("i3"), ["i4"]);
    let models = shop.shop().models().models;
    assert_eq!(models.len(), 1, "no model with withdrawn events is kept");
}

#[test]
fn a_log_in_of_someone_who_refuses_withdraws_from_models() {
    for log_in in [
        json!({"kind": "view", "items": ["i3"]}),
        json!({"kind": "return", "items": ["i3"]}),
    ] {
        let shop = Shop::new("granted");
        shop.decide(&user("no"), json!({"training": "denied"}));
        // A return needs its purchase.
        shop.send(json!({"session": "t", "user": "no", "items": ["i3"]}));
        shop.send(json!({"session": "s", "items": ["i1", "i2"]}));
        shop.train();
        let mut event = log_in.clone();
        event["session"] = json!("s");
        event["user"] = json!("no");
        shop.send(event);
        shop.train();
        assert_eq!(shop.popular(), [], "{log_in}");
        let models = shop.shop().models().models;
        assert_eq!(models.len(), 1, "{log_in}: no model with them is kept");
        // Nothing is withdrawn any more.
        shop.train();
        assert_eq!(shop.shop().models().models.len(), 2, "{log_in}");
    }
}

#[test]
fn searches_before_a_log_in_go_by_the_user() {
    let shop = Shop::new("granted");
    shop.shop().record_search(SearchEvent {
        request_id: "1".into(),
        query: "red".into(),
        session: Some("s".into()),
        shown: vec!["i1".into()],
        hits: 1,
        ..SearchEvent::default()
    });
    let click = json!({"kind": "click", "session": "s", "items": ["i1"], "request_id": "1"});
    shop.send(click);
    shop.send(json!({"kind": "view", "session": "s", "user": "no", "items": ["i2"]}));
    let exported = |shop: &Shop| {
        let mut searches = RecordedSearches::new(shop.shop(), &SearchTimeParams::default());
        let found = searches.as_mut().expect("readable").step().expect("read");
        found.map_or(0, |found| found.len())
    };
    assert_eq!((shop.queries().len(), exported(&shop)), (1, 1));
    shop.decide(&user("no"), json!({"analytics": "denied"}));
    assert!(shop.queries().is_empty());
    assert_eq!(exported(&shop), 0);
    let positions = shop.shop().position_figures(&SearchTimeParams::default());
    assert!(positions.expect("figures").positions.is_empty());
}
