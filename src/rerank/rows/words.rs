//! Words of the query in the texts of the candidates.

use super::{Candidate, Feature, Row, max};
use crate::rerank::{
    ItemText, QueryText,
    item_text::TitleWord,
    query_text::{QueryWord, share},
};

/// Saturation and length normalization of BM25 (Robertson and Zaragoza 2009).
const BM25_K1: f32 = 1.2;
const BM25_B: f32 = 0.75;

/// Maximum distance of two adjacent words of the query that count as a pair.
const PAIR_DISTANCE: u32 = 2;

/// Minimum share of its trigrams in the title from which a word counts as a similar one.
const MIN_FUZZY_SHARE: f32 = 0.4;

pub(super) fn set(query: &QueryText, candidates: &[Candidate], rows: &mut [Row]) {
    let mean = |length: fn(&ItemText) -> usize| {
        let total: usize = candidates.iter().map(|c| length(&c.text)).sum();
        total as f32 / candidates.len().max(1) as f32
    };
    let mean_title = mean(|text| text.title.len());
    let mean_description = mean(|text| text.description.len());
    for (row, candidate) in rows.iter_mut().zip(candidates) {
        let text = &*candidate.text;
        let title = TitleMatch::of(query, text);
        set_title(query, text, &title, row);
        set_head(query, text, row);
        set_similar(query, text, &title, row);
        set_texts(query, text, row);
        let title_bm25 = bm25(query, text.title.len(), mean_title, |word| {
            text.title.iter().filter(|t| t.hash == word.hash).count()
        });
        row.set(Feature::TitleBm25, title_bm25);
        let length = text.description.len();
        let description_bm25 = bm25(query, length, mean_description, |word| {
            text.description.iter().filter(|h| **h == word.hash).count()
        });
        row.set(Feature::DescriptionBm25, description_bm25);
    }
}

/// Words of a query in a title.
struct TitleMatch {
    /// First position of each word of the query.
    positions: Vec<Option<u32>>,
}

impl TitleMatch {
    fn of(query: &QueryText, text: &ItemText) -> Self {
        let position = |word: &QueryWord| {
            let mut title = text.title.iter();
            Some(title.find(|t| t.hash == word.hash)?.position)
        };
        Self {
            positions: query.words.iter().map(position).collect(),
        }
    }

    fn count(&self) -> usize {
        self.positions.iter().flatten().count()
    }

    /// Returns, for each two adjacent words of the query, if they are near and in order.
    fn pairs(&self) -> impl Iterator<Item = bool> {
        self.positions.windows(2).map(|pair| match pair {
            [Some(a), Some(b)] => a < b && b - a <= PAIR_DISTANCE,
            _ => false,
        })
    }

    /// Returns the number of words of the longest part of the query that is in the title.
    fn longest_run(&self) -> usize {
        let (mut run, mut longest) = (0, 0);
        for is_pair in self.pairs() {
            run = if is_pair { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest + usize::from(self.count() > 0)
    }

    /// Returns the number of words over the length of the part of the title that has them.
    fn density(&self) -> f32 {
        let found = self.positions.iter().flatten();
        let (first, last) = (found.clone().min(), found.max());
        let length = last.zip(first).map_or(0, |(last, first)| last - first + 1);
        share(self.count() as f32, length as f32)
    }
}

fn set_title(query: &QueryText, text: &ItemText, title: &TitleMatch, row: &mut Row) {
    let has = |word: &QueryWord| has_title_word(text, word);
    let (count, found) = (query.words.len(), title.count());
    let missing = query.words.iter().filter(|word| !has(word));
    let is_asked = |word: &&TitleWord| query.words.iter().any(|q| q.hash == word.hash);
    let asked = text.title.iter().filter(is_asked).count();
    row.set(Feature::TitleCoverage, query.coverage(has));
    row.set(Feature::TitleWordShare, share(found as f32, count as f32));
    let precision = share(asked as f32, text.title.len() as f32);
    row.set(Feature::TitlePrecision, precision);
    let is_exact = count > 0 && found == count && asked == text.title.len();
    row.set(Feature::TitleExact, f32::from(u8::from(is_exact)));
    let pairs = title.pairs().filter(|is_pair| *is_pair).count() as f32;
    let pair_share = share(pairs, count.saturating_sub(1) as f32);
    row.set(Feature::TitlePairs, pair_share);
    let run = share(title.longest_run() as f32, count as f32);
    row.set(Feature::TitleRun, run);
    row.set(Feature::TitleSpan, title.density());
    let first = title.positions.iter().flatten().min();
    let first = first.map_or(1.0, |at| share(*at as f32, text.title_len as f32));
    row.set(Feature::TitleFirst, first);
    let has_last = title.positions.last().is_some_and(Option::is_some);
    row.set(Feature::TitleLastWord, f32::from(u8::from(has_last)));
    let rarest = query.words.iter().max_by(|a, b| a.idf.total_cmp(&b.idf));
    let has_rarest = rarest.is_some_and(has);
    row.set(Feature::TitleRarest, f32::from(u8::from(has_rarest)));
    let missing = max(missing.map(|word| word.idf));
    row.set(Feature::TitleMissing, share(missing, query.total_idf));
    row.set(Feature::TitleNumbers, number_share(query, has));
    let numbers = text.title.iter().filter(|word| word.is_number);
    let others = numbers.filter(|word| !is_asked(word)).count() as f32;
    row.set(Feature::TitleOtherNumbers, others);
}

/// Sets the features of what the product is and what is searched.
fn set_head(query: &QueryText, text: &ItemText, row: &mut Row) {
    let is_asked = |head: u32| query.words.iter().any(|word| word.hash == head);
    let title_head = text.head.is_some_and(is_asked);
    row.set(Feature::TitleHead, f32::from(u8::from(title_head)));
    let is_same = query.head.is_some() && query.head == text.head;
    row.set(Feature::HeadAtHead, f32::from(u8::from(is_same)));
    let mut title = text.title.iter().rev();
    let at = title.find(|word| Some(word.hash) == query.head);
    let distance = at.map(|word| (text.head_position as f32 - word.position as f32).abs());
    row.set(Feature::HeadDistance, distance.unwrap_or(-1.0));
}

/// Sets the features of similar words: other forms, typos and compounds.
fn set_similar(query: &QueryText, text: &ItemText, title: &TitleMatch, row: &mut Row) {
    let common = common(&query.trigrams, &text.trigrams) as f32;
    let (own, others) = (query.trigrams.len() as f32, text.trigrams.len() as f32);
    row.set(Feature::TitleTrigrams, share(common, own));
    row.set(Feature::TitleTrigramDice, share(2.0 * common, own + others));
    let words = query.words.iter().zip(&title.positions);
    let similar = words.map(|(word, position)| match position {
        Some(_) => word.idf,
        None => word.idf * similarity(word, text),
    });
    row.set(Feature::TitleFuzzy, share(similar.sum(), query.total_idf));
}

fn set_texts(query: &QueryText, text: &ItemText, row: &mut Row) {
    let in_brand = |word: &QueryWord| text.brand.contains(&word.hash);
    let in_category = |word: &QueryWord| text.category.contains(&word.hash);
    let in_attributes = |word: &QueryWord| text.attributes.contains(&word.hash);
    let in_description = |word: &QueryWord| text.description.contains(&word.hash);
    let anywhere = |word: &QueryWord| {
        has_title_word(text, word)
            || in_brand(word)
            || in_category(word)
            || in_attributes(word)
            || in_description(word)
    };
    row.set(Feature::BrandCoverage, query.coverage(in_brand));
    let is_asked = |hash: &&u32| query.words.iter().any(|word| word.hash == **hash);
    let named = text.brand.iter().filter(is_asked).count() as f32;
    row.set(Feature::BrandNamed, share(named, text.brand.len() as f32));
    row.set(Feature::CategoryCoverage, query.coverage(in_category));
    row.set(Feature::AttributeCoverage, query.coverage(in_attributes));
    row.set(Feature::DescriptionCoverage, query.coverage(in_description));
    row.set(Feature::AnyCoverage, query.coverage(anywhere));
    let missing = query.words.iter().filter(|word| !anywhere(word));
    let missing = max(missing.map(|word| word.idf));
    row.set(Feature::AnyMissing, share(missing, query.total_idf));
    row.set(Feature::AnyNumbers, number_share(query, anywhere));
}

fn has_title_word(text: &ItemText, word: &QueryWord) -> bool {
    text.title.iter().any(|title| title.hash == word.hash)
}

/// Returns the share of the query's numbers for which `has` is true; -1 without numbers.
fn number_share(query: &QueryText, has: impl Fn(&QueryWord) -> bool) -> f32 {
    let numbers = query.words.iter().filter(|word| word.is_number);
    let count = numbers.clone().count();
    if count == 0 {
        return -1.0;
    }
    numbers.filter(|word| has(word)).count() as f32 / count as f32
}

/// Returns the share of a word's trigrams that a title has, squared; 0 if it is small. A number is
/// similar to no other.
fn similarity(word: &QueryWord, text: &ItemText) -> f32 {
    if word.is_number {
        return 0.0;
    }
    let common = common(&word.trigrams, &text.trigrams) as f32;
    let part = share(common, word.trigrams.len() as f32);
    if part >= MIN_FUZZY_SHARE {
        part * part
    } else {
        0.0
    }
}

/// Returns the number of common values of two sorted lists.
fn common(a: &[u32], b: &[u32]) -> usize {
    let is_common = |value: &&u32| b.binary_search(value).is_ok();
    a.iter().filter(is_common).count()
}

/// Returns the BM25 score of a text of `length` words; `frequency` counts a word in it.
fn bm25(
    query: &QueryText,
    length: usize,
    mean_length: f32,
    frequency: impl Fn(&QueryWord) -> usize,
) -> f32 {
    if length == 0 {
        return 0.0;
    }
    let norm = BM25_K1 * (1.0 - BM25_B + BM25_B * length as f32 / mean_length.max(1.0));
    let score = |word: &QueryWord| {
        let count = frequency(word) as f32;
        word.idf * count * (BM25_K1 + 1.0) / (count + norm)
    };
    query.words.iter().map(score).sum()
}
