//! `domains`: ranks the categories that a category could learn from, by their items and by their
//! events.

use std::{collections::HashMap, io::Write};

use clap::Args;
use serde_json::{Value, json};
use vitrine::{cf::TransferEstimate, schemas::Event};
use vitrine_schemas::{CategoryPath, Item};

use super::{Outcome, catalog::Catalog};
use crate::{
    error::CommandError,
    train::{
        ItemFeatures,
        domain_events::DomainEvents,
        domains::{level, rank},
    },
};

#[derive(Debug, Args)]
pub(super) struct DomainsArgs {
    #[command(flatten)]
    catalog: Catalog,
    /// Category to learn for, such as "Apparel > Topwear"; categories of the same level are ranked.
    #[arg(long, value_name = "CATEGORY")]
    target: String,
}

pub(super) fn run(args: &DomainsArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let items = args.catalog.items()?;
    let events = events(args, &items)?;
    let users = events.as_ref().map(DomainEvents::users);
    let (_, views, counts) = args.catalog.views(&items)?;
    let examples: Vec<_> = views.iter().filter_map(ItemFeatures::example).collect();
    let ranked = rank(&examples, &args.target, users.as_ref())?;
    let mut sources = json!(ranked);
    if let (Some(events), Some(sources)) = (&events, sources.as_array_mut()) {
        for (source, ranked) in sources.iter_mut().zip(&ranked) {
            let estimate = events.transfer(&args.target, &ranked.source)?;
            source["behavior"] = estimate.map_or(Value::Null, |estimate| described(&estimate));
        }
    }
    let answer = json!({"target": args.target, "items": counts, "sources": sources});
    writeln!(out, "{answer}")?;
    Ok(Outcome::Complete)
}

/// Returns the estimated effect of events in a source on recommendations of the target.
fn described(estimate: &TransferEstimate) -> Value {
    json!({
        "weight": estimate.weight,
        "gain": estimate.gain.mean,
        "gain_low": estimate.gain.low,
        "gain_high": estimate.gain.high,
        "users": estimate.users,
    })
}

/// Returns the choices of users by category, from the events of a collection; `None` without
/// events.
fn events(args: &DomainsArgs, items: &[Item]) -> Result<Option<DomainEvents>, CommandError> {
    let Some(collection) = args.catalog.stored()? else {
        return Ok(None);
    };
    let depth = CategoryPath::new(&args.target).depth();
    let category = |item: &Item| level(item.category.as_deref().unwrap_or_default(), depth);
    let categories: HashMap<&str, String> = items
        .iter()
        .map(|item| (item.id.as_str(), category(item)))
        .collect();
    let mut events = DomainEvents::default();
    collection.for_each_event(|_, event: Event| {
        // Without a signed-in user, the session counts as a user.
        let Some(user) = event.user.or(event.session) else {
            return;
        };
        for item in &event.items {
            if let Some(category) = categories.get(item.as_str()) {
                events.add(&user, item, category);
            }
        }
    })?;
    Ok((!events.is_empty()).then_some(events))
}
