//! Tables of a release: the cells that count, and what is stored of them.

use crate::{privacy::Release, storage::ReleasedTables};

/// The catalog as releases see it. It is public.
pub(crate) struct PublicCatalog {
    /// Ids of the items.
    pub ids: Vec<String>,
    /// Paths of the categories.
    pub categories: Vec<String>,
    /// Number of the category of each item, if it has one.
    pub category_of: Vec<Option<u32>>,
}

/// Returns the numbers of the pairs of different categories of some items.
pub fn category_pairs(items: &[u32], catalog: &PublicCatalog) -> Vec<u32> {
    let category = |item: &u32| catalog.category_of[*item as usize];
    let mut categories: Vec<u32> = items.iter().filter_map(category).collect();
    categories.sort_unstable();
    categories.dedup();
    let mut pairs = Vec::new();
    for (index, b) in categories.iter().enumerate() {
        pairs.extend(categories[..index].iter().map(|a| pair_number(*a, *b)));
    }
    pairs
}

/// Returns the number of a pair of categories, `a < b`.
fn pair_number(a: u32, b: u32) -> u32 {
    b * (b - 1) / 2 + a
}

pub fn released_tables(
    popularity: &Release,
    pairs: Option<&Release>,
    catalog: &PublicCatalog,
) -> ReleasedTables {
    let popularity = popularity.counts.iter();
    let popularity = popularity.map(|(item, n)| (catalog.ids[*item as usize].clone(), *n));
    let paths = &catalog.categories;
    let numbered = |cell: u32| {
        // The largest b with b (b - 1) / 2 <= cell.
        let b = (1..paths.len() as u32).rfind(|b| pair_number(0, *b) <= cell)?;
        Some((cell - pair_number(0, b), b))
    };
    let path = |category: u32| paths[category as usize].clone();
    let pairs = pairs.into_iter().flat_map(|pairs| &pairs.counts);
    let category_pairs = pairs.filter_map(|(cell, count)| {
        let (a, b) = numbered(*cell)?;
        Some((path(a), path(b), *count))
    });
    ReleasedTables {
        popularity: popularity.collect(),
        category_pairs: category_pairs.collect(),
    }
}
