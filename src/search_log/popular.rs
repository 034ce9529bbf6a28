//! Popular queries, to be suggested.

use std::{collections::HashMap, ops::Range};

use super::{IsPermitted, SearchLog, typing::person};
use crate::Result;

/// A query that several people searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PopularQuery {
    /// The text, in lower case.
    pub text: String,
    /// Number of searches.
    pub searches: u64,
    /// Number of hits of the last search.
    pub hits: u64,
}

/// Counts of a query.
#[derive(Default)]
struct Counts {
    searches: u64,
    hits: u64,
    /// Hashes of the first people that were seen, as many as are needed.
    people: Vec<u64>,
}

impl SearchLog {
    /// Returns the queries with hits and without corrected words that at least `min_people` users,
    /// or sessions without a user, searched for in a range of time; the `max` most frequent ones,
    /// most frequent first.
    pub fn popular(
        &self,
        range: Range<i64>,
        is_permitted: &IsPermitted<'_>,
        min_people: usize,
        max: usize,
    ) -> Result<Vec<PopularQuery>> {
        let mut queries: HashMap<String, Counts> = HashMap::new();
        self.for_each(range, is_permitted, |_, outcome| {
            let search = outcome.search;
            let Some(person) = person(&search).filter(|_| !search.query.is_empty()) else {
                return Ok(());
            };
            let counts = queries.entry(search.query).or_default();
            if counts.searches == 0 {
                // The latest search comes first. A mistyped query is not suggested to others.
                counts.hits = if search.corrected { 0 } else { search.hits };
            }
            counts.searches += 1;
            if counts.people.len() < min_people && !counts.people.contains(&person) {
                counts.people.push(person);
            }
            Ok(())
        })?;
        let queries = queries.into_iter();
        let known = queries.filter(|(_, c)| c.hits > 0 && c.people.len() >= min_people);
        let mut popular: Vec<_> = known
            .map(|(text, counts)| PopularQuery {
                text,
                searches: counts.searches,
                hits: counts.hits,
            })
            .collect();
        popular.sort_by(|a, b| b.searches.cmp(&a.searches).then(a.text.cmp(&b.text)));
        popular.truncate(max);
        Ok(popular)
    }
}
