//! Figures and reasons tell nothing about too few people, where the collection says so.

use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::{
    Collection, Database, Options, Training,
    schemas::{Event, QueryFiguresParams, RecommendRequest, SearchEvent, SearchTimeParams},
};

use crate::support::put;

struct Shop {
    _folder: tempfile::TempDir,
    db: Database,
    shop: Arc<Collection>,
}

impl Shop {
    fn new(min_users: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options {
            index_threads: 0,
            ..Options::default()
        };
        let db = Database::open(folder.path(), options).expect("open");
        let config =
            json!({"vectors": {"shared": {"dim": 2}}, "anonymity": {"min_users": min_users}});
        let config = serde_json::from_value(config).expect("a config");
        let shop = db.create_collection("shop", config).expect("create");
        let items = (0..6).map(|i| {
            json!({"id": format!("i{i}"), "title": format!("item {i}"),
                "vectors": {"shared": [1.0, f64::from(i)]}})
        });
        put(&shop, &items.collect::<Vec<_>>());
        Self {
            _folder: folder,
            db,
            shop,
        }
    }

    fn buy(&self, user: &str, items: &[&str]) {
        let event = json!({"kind": "purchase", "collection": "shop", "user": user, "items": items});
        let event: Event = serde_json::from_value(event).expect("an event");
        self.db.append_events(&[event]).expect("stored");
    }

    fn search(&self, id: usize, user: Option<&str>, query: &str) {
        self.shop.record_search(SearchEvent {
            request_id: id.to_string(),
            query: query.into(),
            user: user.map(str::to_owned),
            hits: 1,
            ..SearchEvent::default()
        });
    }

    /// Queries that are listed, and the number of those withheld.
    fn queries(&self) -> (Vec<String>, u64) {
        let params = serde_json::from_value::<QueryFiguresParams>(json!({}));
        let figures = self.shop.query_figures(&params.expect("parameters"));
        let figures = figures.expect("figures");
        assert_eq!(figures.total, figures.queries.len() as u64);
        let queries = figures.queries.into_iter().map(|query| query.query);
        (queries.collect(), figures.withheld)
    }

    /// Code of the reason of a hit for a user who chose `i0`.
    fn reason(&self, id: &str) -> (String, Vec<String>) {
        let blend = json!({"weights": {"behavior": 1}});
        let request: Value = json!({"positives": ["i0"], "limit": 6, "blend": blend});
        let request: RecommendRequest = serde_json::from_value(request).expect("a request");
        let answer = self.shop.recommend(&request, None).expect("an answer");
        let hit = answer.hits.into_iter().find(|hit| hit.id == id);
        let reason = hit.expect("a hit").reason;
        (reason.code, reason.items)
    }
}

#[test]
fn figures_list_queries_and_days_of_enough_people() {
    for (min_users, listed, withheld, days) in [(1, 3, 0, 1), (2, 1, 2, 1), (3, 0, 3, 0)] {
        let shop = Shop::new(min_users);
        for (id, (user, query)) in [
            (Some("u"), "red"),
            (Some("v"), "red"),
            (Some("u"), "my name"),
            (Some("u"), "my name"),
            // Nobody knows who these are.
            (None, "blue"),
            (None, "blue"),
        ]
        .into_iter()
        .enumerate()
        {
            shop.search(id, user, query);
        }
        let (queries, hidden) = shop.queries();
        assert_eq!((queries.len(), hidden), (listed, withheld), "{min_users}");
        assert!(min_users == 1 || !queries.contains(&"my name".to_owned()));
        let summary = shop.shop.search_summary(&SearchTimeParams::default());
        let summary = summary.expect("a summary");
        assert_eq!((summary.days.len(), summary.total.searches), (days, 6));
    }
}

#[test]
fn reasons_name_what_enough_people_chose() {
    for (min_users, one, many) in [
        (1, "also_liked", "also_liked"),
        (3, "for_you", "also_liked"),
    ] {
        let shop = Shop::new(min_users);
        for user in ["a", "b", "c"] {
            shop.buy(user, &["i0", "i1"]);
        }
        shop.buy("d", &["i0", "i2"]);
        shop.shop.train(&Training::default()).expect("trained");
        assert_eq!(shop.reason("i1"), (many.to_owned(), vec!["i0".to_owned()]));
        let (code, items) = shop.reason("i2");
        assert_eq!((code.as_str(), items.is_empty()), (one, one == "for_you"));
        let params = serde_json::from_value(json!({})).expect("parameters");
        let together = shop.shop.bought_together("i0", &params).expect("an answer");
        let together: Vec<_> = together.hits.iter().map(|hit| hit.id.as_str()).collect();
        assert_eq!(together.contains(&"i2"), min_users == 1, "{together:?}");
        assert!(together.contains(&"i1"));
        let params = serde_json::from_value(json!({"limit": 1})).expect("parameters");
        let popular = shop.shop.popular(&params).expect("an answer");
        assert_eq!(popular.hits[0].events > 0, min_users == 1);
    }
}

#[test]
fn sessions_of_one_user_are_one_person() {
    for is_live in [false, true] {
        let shop = Shop::new(3);
        let browse = |session: usize| {
            let event = json!({"kind": "view", "collection": "shop", "user": "d",
                "session": format!("s{session}"), "items": ["i0", "i2"]});
            let event: Event = serde_json::from_value(event).expect("an event");
            shop.db.append_events(&[event]).expect("stored");
        };
        if is_live {
            shop.buy("a", &["i0", "i1"]);
            shop.shop.train(&Training::default()).expect("trained");
        }
        (0..4).for_each(browse);
        if !is_live {
            shop.shop.train(&Training::default()).expect("trained");
        }
        assert_eq!(shop.reason("i2").0, "for_you", "{is_live}");
    }
}

#[test]
fn scores_of_popular_items_do_not_count_events() {
    for (min_users, score) in [(1, 2.0), (2, 1.0)] {
        let shop = Shop::new(min_users);
        for user in ["a", "b"] {
            let event =
                json!({"kind": "view", "collection": "shop", "user": user, "items": ["i0"]});
            let event: Event = serde_json::from_value(event).expect("an event");
            shop.db.append_events(&[event]).expect("stored");
        }
        let params = serde_json::from_value(json!({"limit": 1, "window_days": 1}));
        let popular = shop.shop.popular(&params.expect("parameters"));
        assert_eq!(popular.expect("an answer").hits[0].score, score);
    }
}

#[test]
fn the_setting_is_checked() {
    let shop = Shop::new(1);
    for min_users in [0, 1001] {
        let patch = json!({"anonymity": {"min_users": min_users}});
        let patch = serde_json::from_value(patch).expect("a patch");
        let refused = shop.db.patch_collection("shop", patch);
        let refused = refused.err().expect("refused").to_string();
        assert!(refused.contains("/anonymity/min_users"), "{refused}");
    }
}
