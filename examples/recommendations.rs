//! Recommendations from events, embedded in a program: what users with the same purchases bought,
//! with a reason for each hit.
//!
//! Run it with `cargo run --release --workspace --example recommendations`.

use std::{error::Error, path::Path};

use serde_json::json;
use vitrine::{
    Database, Options, Training,
    schemas::{
        BoughtTogetherParams, BoughtTogetherResponse, Event, Item, RecommendRequest,
        RecommendResponse,
    },
};

/// Baskets of the users, one for each.
const BASKETS: [[&str; 2]; 4] = [
    ["tent", "sleeping bag"],
    ["tent", "sleeping bag"],
    ["tent", "stove"],
    ["coffee", "mug"],
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (recommended, together) = run(folder.path())?;
    for hit in &recommended.hits {
        println!("{:.3}  {}: {}", hit.score, hit.id, hit.reason.text);
    }
    for hit in &together.hits {
        println!("bought with the tent: {}", hit.id);
    }
    Ok(())
}

/// Fills a collection below `data`, stores the baskets as events, trains, and recommends for a user
/// who has just bought a tent.
fn run(data: &Path) -> Result<(RecommendResponse, BoughtTogetherResponse), Box<dyn Error>> {
    let database = Database::open(data, Options::default())?;
    // A collection has at least one vector space; these items have no vectors.
    let config = serde_json::from_value(json!({"vectors": {"shared": {"dim": 2}}}))?;
    let shop = database.create_collection("shop", config)?;
    let items = ["tent", "sleeping bag", "stove", "coffee", "mug"].map(|id| Item {
        id: id.into(),
        title: Some(id.into()),
        ..Item::default()
    });
    for outcome in shop.upsert(items.into())? {
        outcome?;
    }
    let mut events = Vec::new();
    for (user, basket) in BASKETS.iter().enumerate() {
        events.push(purchase(&format!("u{user}"), basket)?);
    }
    events.push(purchase("new", &["tent"])?);
    for result in database.append_events(&events)? {
        if let Some(error) = result.error {
            return Err(format!("event {}: {error}", result.index).into());
        }
    }
    // The database trains in the background too, once enough events are new.
    shop.train(&Training::default())?;
    let request: RecommendRequest = serde_json::from_value(json!({"user": "new", "limit": 2}))?;
    let recommended = shop.recommend(&request, None)?;
    let params = BoughtTogetherParams {
        limit: 2,
        filter: None,
        exclude_out_of_stock: true,
    };
    let together = shop.bought_together("tent", &params)?;
    database.close()?;
    Ok((recommended, together))
}

fn purchase(user: &str, items: &[&str]) -> serde_json::Result<Event> {
    let event = json!({"kind": "purchase", "collection": "shop", "user": user, "items": items});
    serde_json::from_value(event)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_others_bought_with_the_tent_is_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let (recommended, together) = super::run(folder.path()).expect("a response");
        assert_eq!(recommended.hits[0].id, "sleeping bag");
        assert!(recommended.hits.iter().all(|hit| hit.id != "tent"));
        assert_eq!(together.hits[0].id, "sleeping bag");
    }
}
