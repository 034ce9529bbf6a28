//! Counts of the phrases, brands and categories of a catalog, in bounded memory.

use std::collections::HashMap;

use vitrine_schemas::{CategoryPath, Item, SuggestionKind};

use super::{entry::Entry, fold::Folded, phrases::phrases};

/// Maximum number of phrases that are counted at once. If there are more, rare ones are dropped, as
/// in lossy counting (Manku and Motwani 2002).
const MAX_COUNTED: usize = 400_000;

/// Maximum number of phrases that are suggested.
const MAX_PHRASES: usize = 150_000;

/// Maximum number of brands, and of categories, that are suggested.
const MAX_VALUES: usize = 50_000;

/// Items of a shop up to which a phrase of a single title is suggested.
const SMALL_SHOP: u64 = 1_000;

/// Items of a shop per item that a phrase must have, from which on more than two are needed.
const ITEMS_PER_MIN: u64 = 250_000;

/// Share of the items with a phrase that have it as the end of the same longer one, from which on
/// only the longer one is suggested.
const FRAGMENT_SHARE: f64 = 0.8;

/// Number of items up to which an entry knows its items: it is not suggested once they are gone.
const MAX_MEMBERS: usize = 4;

/// Counts of the items that were added.
#[derive(Default)]
pub(crate) struct CatalogCounts {
    items: u64,
    /// By the text in lower case.
    phrases: HashMap<String, Count>,
    brands: HashMap<String, Count>,
    /// By path.
    categories: HashMap<String, Count>,
}

#[derive(Default)]
struct Count {
    items: u32,
    /// Their ids, if there are at most [`MAX_MEMBERS`].
    members: Vec<Box<str>>,
}

impl Count {
    fn add(&mut self, id: &str) {
        self.items = self.items.saturating_add(1);
        if self.items as usize <= MAX_MEMBERS {
            self.members.push(id.into());
        } else {
            self.members = Vec::new();
        }
    }
}

impl CatalogCounts {
    /// Adds an item; hidden ones suggest nothing.
    pub fn add(&mut self, item: &Item) {
        if item.hidden {
            return;
        }
        self.items += 1;
        let mut phrases = item.title.as_deref().map(phrases).unwrap_or_default();
        phrases.sort_unstable();
        phrases.dedup();
        for phrase in phrases {
            self.phrases.entry(phrase).or_default().add(&item.id);
        }
        if self.phrases.len() > MAX_COUNTED {
            self.drop_rare();
        }
        if let Some(brand) = item
            .brand
            .as_deref()
            .map(str::trim)
            .filter(|b| !b.is_empty())
        {
            let count = self.brands.entry(brand.to_owned()).or_default();
            count.add(&item.id);
        }
        let category = item.category.as_deref().unwrap_or_default();
        let path = CategoryPath::join(CategoryPath::levels(category));
        for path in CategoryPath::new(&path).prefixes() {
            let count = self.categories.entry(path.as_str().to_owned());
            count.or_default().add(&item.id);
        }
    }

    /// Drops the rarest phrases until half of the room is free.
    fn drop_rare(&mut self) {
        let mut rare = 1;
        while self.phrases.len() > MAX_COUNTED / 2 {
            self.phrases.retain(|_, count| count.items > rare);
            rare += 1;
        }
    }

    /// Returns the entries, in no order.
    pub fn entries(mut self) -> Vec<Entry> {
        self.drop_fragments();
        let min = match self.items {
            ..SMALL_SHOP => 1,
            items => (items / ITEMS_PER_MIN).max(2),
        };
        let mut entries = Vec::new();
        let phrases = most(self.phrases, MAX_PHRASES);
        for (text, count) in phrases.filter(|(_, count)| u64::from(count.items) >= min) {
            entries.push(count.entry(SuggestionKind::Phrase, text, None));
        }
        for (brand, count) in most(self.brands, MAX_VALUES) {
            entries.push(count.entry(SuggestionKind::Brand, brand, None));
        }
        for (path, count) in most(self.categories, MAX_VALUES) {
            let name = CategoryPath::new(&path).name().to_owned();
            entries.push(count.entry(SuggestionKind::Category, name, Some(path.into())));
        }
        entries
    }

    /// Drops phrases that are mostly the end of one longer phrase.
    fn drop_fragments(&mut self) {
        let mut fragments = Vec::new();
        for (phrase, count) in &self.phrases {
            let shorter = phrase.split_once(' ').map(|(_, shorter)| shorter);
            let Some((shorter, whole)) = shorter.and_then(|s| self.phrases.get_key_value(s)) else {
                continue;
            };
            let share = f64::from(count.items) / f64::from(whole.items);
            if count.items > 1 && share >= FRAGMENT_SHARE {
                fragments.push(shorter.clone());
            }
        }
        for fragment in fragments {
            self.phrases.remove(&fragment);
        }
    }
}

/// Returns the most frequent values.
fn most(counts: HashMap<String, Count>, max: usize) -> impl Iterator<Item = (String, Count)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    if counts.len() > max {
        counts.select_nth_unstable_by_key(max, |(_, count)| std::cmp::Reverse(count.items));
        counts.truncate(max);
    }
    counts.into_iter()
}

impl Count {
    fn entry(self, kind: SuggestionKind, text: String, category: Option<Box<str>>) -> Entry {
        let weight = match kind {
            SuggestionKind::Category => 1.2,
            SuggestionKind::Phrase if !text.contains(' ') => 0.9,
            _ => 1.0,
        };
        Entry {
            key: Folded::new(&text).text(),
            text: text.into(),
            kind,
            items: u64::from(self.items),
            category,
            score: weight * f64::from(self.items).ln_1p(),
            members: self.members,
        }
    }
}
