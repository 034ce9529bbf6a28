//! Reasons of hits of other categories: their relation to the query item.

use std::collections::HashMap;

use vitrine_schemas::{Reason, Source};

use super::{CrossCategoryContext, item_behavior::ItemBehavior};
use crate::{
    collection::ranking::{
        contributions::main_source,
        hits::{Explainer, Titles},
    },
    query::blend::Ranked,
};

/// Minimum share of the score for a direct reason.
const MIN_DIRECT_SHARE: f32 = 0.1;

/// Explains hits by their relation to the query item.
pub(super) struct CrossCategoryExplainer<'a> {
    pub(super) context: &'a CrossCategoryContext<'a>,
    pub(super) behavior: &'a ItemBehavior<'a>,
    pub(super) category_of: &'a HashMap<u32, usize>,
    /// Id of the query item.
    pub(super) query_item: [String; 1],
    /// Minimum number of people behind a reason that names what others did.
    pub(super) min_users: u32,
}

impl Explainer for CrossCategoryExplainer<'_> {
    /// The source that explains the hit, and its internal id.
    type Draft = (Source, u32);

    /// Popularity and transitions contribute to many hits, so they are the reason only if the other
    /// sources contribute little.
    fn draft(&self, hit: &Ranked, _id: &str) -> (Source, u32) {
        let min_score = MIN_DIRECT_SHARE * hit.score;
        let is_direct = |source, score| {
            matches!(source, Source::Query | Source::Behavior) && score >= min_score
        };
        let source = main_source(hit, is_direct).unwrap_or(Source::Query);
        (source, hit.candidate.item)
    }

    fn named_items<'d>(&'d self, _draft: &'d (Source, u32)) -> &'d [String] {
        &self.query_item
    }

    fn reason(&self, (source, item): (Source, u32), titles: &Titles) -> Reason {
        let [id] = &self.query_item;
        let title = titles.get(id).unwrap_or(id);
        let (context, categories) = (self.context, &self.context.categories);
        let to = self.category_of.get(&item);
        let to = to.map_or("", |index| categories[*index].path.as_str());
        let (code, text) = match source {
            Source::Behavior => {
                let neighbor = self.behavior.neighbors.get(&item);
                match self.customers(neighbor.map_or(0, |(_, users)| *users)) {
                    Some(customers) => (
                        "bridge",
                        format!("{customers} who chose {title} also chose this"),
                    ),
                    None => ("related", format!("Goes with {title}")),
                }
            }
            Source::Transition => {
                let (from, transitions) = (&context.category, context.transitions.as_ref());
                match self.customers(transitions.map_or(0, |t| t.users(from, to))) {
                    Some(customers) => (
                        "transition",
                        format!("{customers} who chose from {from} also chose from {to}"),
                    ),
                    None => ("related", format!("Goes with {title}")),
                }
            }
            Source::Popularity => ("popular", format!("Popular in {to}")),
            _ => ("similar", format!("Similar to {title}")),
        };
        Reason {
            code: code.to_owned(),
            items: vec![id.clone()],
            text,
        }
    }
}

impl CrossCategoryExplainer<'_> {
    /// Returns a number of customers in words; None if there are too few to tell.
    fn customers(&self, count: u32) -> Option<String> {
        let noun = if count == 1 { "customer" } else { "customers" };
        let is_told = self.min_users <= 1 || count >= self.min_users;
        is_told.then(|| format!("{count} {noun}"))
    }
}
