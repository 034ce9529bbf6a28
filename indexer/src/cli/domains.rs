//! `domains`: what a category could learn from which others.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
};

use clap::Args;
use serde_json::json;
use vitrine_schemas::Item;

use super::{Outcome, catalog::Catalog};
use crate::{
    error::CommandError,
    train::{
        Views,
        domains::{Users, level, rank},
    },
};

#[derive(Debug, Args)]
pub(super) struct DomainsArgs {
    #[command(flatten)]
    catalog: Catalog,
    /// Category that is to learn, such as "Apparel > Topwear"; others on its level are ranked.
    #[arg(long, value_name = "CATEGORY")]
    target: String,
}

pub(super) fn run(args: &DomainsArgs, out: &mut dyn Write) -> Result<Outcome, CommandError> {
    let items = args.catalog.items()?;
    let users = users(args, &items)?;
    let (_, views, counts) = args.catalog.views(&items)?;
    let examples: Vec<_> = views.iter().filter_map(Views::example).collect();
    let ranked = rank(&examples, &args.target, users.as_ref())?;
    let answer = json!({"target": args.target, "items": counts, "sources": ranked});
    writeln!(out, "{answer}")?;
    Ok(Outcome::Complete)
}

/// Who touched what, from the events of a collection; `None` where there are none.
fn users(args: &DomainsArgs, items: &[Item]) -> Result<Option<Users>, CommandError> {
    let Some(collection) = args.catalog.stored()? else {
        return Ok(None);
    };
    let depth = args.target.split(" > ").count();
    let category = |item: &Item| level(item.category.as_deref().unwrap_or_default(), depth);
    let categories: HashMap<&str, String> = items
        .iter()
        .map(|item| (item.id.as_str(), category(item)))
        .collect();
    let mut users: Users = BTreeMap::new();
    collection.visit_events(|_, event| {
        // A visit is a person too, where nobody was signed in.
        let Some(person) = event.user.or(event.session) else {
            return;
        };
        for item in &event.items {
            if let Some(category) = categories.get(item.as_str()) {
                let people = users.entry(category.clone()).or_default();
                people.insert(person.clone());
            }
        }
    })?;
    Ok((!users.is_empty()).then_some(users))
}
