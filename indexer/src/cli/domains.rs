//! `domains`: ranks the categories that a category could learn from.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
};

use clap::Args;
use serde_json::json;
use vitrine_schemas::{CategoryPath, Item};

use super::{Outcome, catalog::Catalog};
use crate::{
    error::CommandError,
    train::{
        ItemFeatures,
        domains::{Users, level, rank},
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
    let users = users(args, &items)?;
    let (_, views, counts) = args.catalog.views(&items)?;
    let examples: Vec<_> = views.iter().filter_map(ItemFeatures::example).collect();
    let ranked = rank(&examples, &args.target, users.as_ref())?;
    let answer = json!({"target": args.target, "items": counts, "sources": ranked});
    writeln!(out, "{answer}")?;
    Ok(Outcome::Complete)
}

/// Returns the users of each category, from the events of a collection; `None` without events.
fn users(args: &DomainsArgs, items: &[Item]) -> Result<Option<Users>, CommandError> {
    let Some(collection) = args.catalog.stored()? else {
        return Ok(None);
    };
    let depth = CategoryPath::new(&args.target).depth();
    let category = |item: &Item| level(item.category.as_deref().unwrap_or_default(), depth);
    let categories: HashMap<&str, String> = items
        .iter()
        .map(|item| (item.id.as_str(), category(item)))
        .collect();
    let mut users: Users = BTreeMap::new();
    collection.for_each_event(|_, event| {
        // Without a signed-in user, the session counts as a user.
        let Some(user) = event.user.or(event.session) else {
            return;
        };
        for item in &event.items {
            if let Some(category) = categories.get(item.as_str()) {
                let category_users = users.entry(category.clone()).or_default();
                category_users.insert(user.clone());
            }
        }
    })?;
    Ok((!users.is_empty()).then_some(users))
}
