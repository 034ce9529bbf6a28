//! Reasons: why an item is recommended, by the source that contributed most to its score.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use vitrine_schemas::{Reason, Source};

use crate::{
    behavior::{Log, Model},
    cf::{Scored, SimilarSessions},
    collection::{
        ranking::{
            contributions::main_source,
            hits::{Explainer, Titles},
        },
        shopper::{cold_items::ColdItems, content::Content, history::History, top_k::top_k},
    },
    query::blend::Ranked,
};

/// Maximum number of items named in a reason.
const MAX_NAMED_ITEMS: usize = 3;

/// Explains hits by the history of a shopper.
pub(in crate::collection) struct HistoryExplainer<'a> {
    pub log: &'a Log,
    pub model: Option<&'a Model>,
    pub history: &'a History,
    pub content: Option<&'a Content>,
    /// Items with few events, if their behavior scores are estimated.
    pub cold_items: Option<&'a ColdItems>,
    /// Returns the authors of an item that the user follows, if authors are followed.
    pub followed_authors: Option<&'a dyn Fn(u32) -> Vec<String>>,
    /// Minimum number of people behind a reason that names what others did; 1 withholds none.
    pub min_users: u32,
    /// Similar sessions, computed for the first reason that needs them.
    pub similar_sessions: OnceCell<SimilarSessions<'a>>,
}

/// A reason without its text, which needs the titles of the named items.
pub(in crate::collection) struct ReasonDraft {
    source: Source,
    /// Ids of the named items, the strongest first.
    items: Vec<String>,
    /// Followed authors.
    authors: Vec<String>,
    /// True if the score is estimated by those of similar items.
    is_estimated: bool,
    /// True if too few people are behind it, or nobody knows how many.
    is_withheld: bool,
}

impl Explainer for HistoryExplainer<'_> {
    type Draft = ReasonDraft;

    /// Popularity contributes to every hit, so it is the reason only if no other source
    /// contributes.
    fn draft(&self, hit: &Ranked, id: &str) -> ReasonDraft {
        let is_direct = |source: Source, _| source != Source::Popularity && !source.is_adjustment();
        let source = main_source(hit, is_direct).unwrap_or(Source::Newest);
        let (mut is_estimated, mut is_withheld) = (false, false);
        let items = match source {
            Source::Behavior if self.min_users > 1 => {
                let items = self.neighbors_of_many(id);
                is_withheld = items.is_empty();
                items
            }
            Source::Session | Source::Sequence | Source::Network | Source::Transition
                if self.min_users > 1 =>
            {
                is_withheld = true;
                Vec::new()
            }
            Source::Behavior => {
                let mut items = self.neighbors_in_history(id);
                if items.is_empty() {
                    items = self.neighbors_of_similar_items(hit.candidate.item);
                    is_estimated = !items.is_empty();
                }
                items
            }
            Source::Session => self.items_of_similar_sessions(id),
            Source::Sequence => self.rules_of_history(id),
            Source::Content => match self.content {
                Some(content) => {
                    let nearest = content.nearest_in_history(hit.candidate.item);
                    let nearest = nearest.into_iter().take(MAX_NAMED_ITEMS);
                    nearest
                        .map(|at| self.history.items[at].id.clone())
                        .collect()
                }
                None => self.liked(),
            },
            Source::Network => self.liked(),
            Source::Query
            | Source::Lexical
            | Source::Popularity
            | Source::Transition
            | Source::Newest
            | Source::Following
            | Source::Freshness
            | Source::Rules
            | Source::Ranker => Vec::new(),
        };
        let authors = match source {
            Source::Following => self.followed_authors.map(|of| of(hit.candidate.item)),
            _ => None,
        };
        let authors = authors.unwrap_or_default();
        ReasonDraft {
            source,
            items,
            authors,
            is_estimated,
            is_withheld,
        }
    }

    fn named_items<'d>(&'d self, draft: &'d ReasonDraft) -> &'d [String] {
        &draft.items
    }

    fn reason(&self, draft: ReasonDraft, titles: &Titles) -> Reason {
        let named = draft.items.iter();
        let named: Vec<_> = named
            .map(|id| titles.get(id).unwrap_or(id).as_str())
            .collect();
        let named = named.join(", ");
        let (code, text) = match draft.source {
            _ if draft.is_withheld => ("for_you", "Recommended for you".to_owned()),
            Source::Query => ("matches", "Matches the search".to_owned()),
            Source::Lexical => ("has_words", "Matches the words of the search".to_owned()),
            Source::Behavior if draft.is_estimated => (
                "similar_also_liked",
                format!("Similar to what customers who chose {named} chose"),
            ),
            Source::Behavior => (
                "also_liked",
                format!("Customers who chose {named} also chose this"),
            ),
            Source::Session => (
                "alike",
                format!("Shoppers like you, who chose {named}, also chose this"),
            ),
            Source::Sequence => ("next", format!("Often chosen after {named}")),
            Source::Network => (
                "likely_next",
                format!("Likely next after {named}, by what others chose"),
            ),
            Source::Content => ("similar", format!("Similar to {named}")),
            Source::Popularity => ("popular", "Popular now".to_owned()),
            Source::Transition => (
                "transition",
                "From a category customers also shop".to_owned(),
            ),
            Source::Following => {
                let authors = draft.authors.join(", ");
                ("following", format!("From {authors}, whom you follow"))
            }
            Source::Newest | Source::Freshness | Source::Rules | Source::Ranker => {
                ("new", "New in the catalog".to_owned())
            }
        };
        Reason {
            code: code.to_owned(),
            items: draft.items,
            text,
        }
    }
}

impl<'a> HistoryExplainer<'a> {
    fn neighbors_in_history(&self, id: &str) -> Vec<String> {
        let logged = self.model.zip(self.log.number(id));
        let history = &self.history.logged;
        let scored = logged.map(|(m, item)| m.live().item_knn.reasons(history, item));
        self.named(scored.unwrap_or_default())
    }

    /// Returns the items of the history that enough people chose together with an item.
    fn neighbors_of_many(&self, id: &str) -> Vec<String> {
        let Some((model, item)) = self.model.zip(self.log.number(id)) else {
            return Vec::new();
        };
        let live = model.live();
        let neighbors = live.item_knn.neighbors(item).into_iter();
        let of_many = neighbors.filter(|neighbor| neighbor.users >= self.min_users);
        let of_many: HashSet<u32> = of_many.map(|neighbor| neighbor.item).collect();
        let mut scored = live.item_knn.reasons(&self.history.logged, item);
        scored.retain(|reason| of_many.contains(&reason.item));
        self.named(scored)
    }

    /// Returns the items of the history whose neighbors a cold item is similar to, or which it is
    /// similar to itself.
    fn neighbors_of_similar_items(&self, internal_id: u32) -> Vec<String> {
        let (Some(cold_items), Some(model)) = (self.cold_items, self.model) else {
            return Vec::new();
        };
        let (live, history) = (model.live(), &self.history.logged);
        let mut parts: HashMap<u32, f32> = HashMap::new();
        for similar in cold_items.similar(internal_id) {
            for reason in live.item_knn.reasons(history, similar.item) {
                *parts.entry(reason.item).or_default() += similar.score * reason.score;
            }
            let is_liked = |(item, weight): &(u32, f32)| *item == similar.item && *weight > 0.0;
            if history.iter().any(is_liked) {
                *parts.entry(similar.item).or_default() += similar.score;
            }
        }
        let parts = parts.into_iter();
        let parts = parts.map(|(item, score)| Scored { item, score }).collect();
        self.named(top_k(parts, MAX_NAMED_ITEMS))
    }

    fn rules_of_history(&self, id: &str) -> Vec<String> {
        let logged = self.model.zip(self.log.number(id));
        let history = &self.history.logged;
        let scored = logged.map(|(m, item)| m.live().rules.reasons(history, item));
        self.named(scored.unwrap_or_default())
    }

    fn items_of_similar_sessions(&self, id: &str) -> Vec<String> {
        let logged = self.model.zip(self.log.number(id));
        let votes = logged.map(|(model, item)| self.similar_sessions(model).reasons(item));
        self.named(votes.unwrap_or_default())
    }

    fn similar_sessions(&self, model: &'a Model) -> &SimilarSessions<'a> {
        let near = || model.sessions.similar_to(&self.history.logged);
        self.similar_sessions.get_or_init(near)
    }

    fn named(&self, items: Vec<Scored>) -> Vec<String> {
        let positive = items.into_iter().filter(|s| s.score > 0.0);
        let names = positive.map(|s| self.log.name(s.item).to_owned());
        names.take(MAX_NAMED_ITEMS).collect()
    }

    fn liked(&self) -> Vec<String> {
        let liked = self.history.liked().map(|item| item.id.clone());
        liked.take(MAX_NAMED_ITEMS).collect()
    }
}
