//! Kinds of items that no category is called by: "kettle", if all items with it in the title are of
//! one category.

use std::ops::Range;

use vitrine_schemas::CategoryPath;

use super::{
    candidates::{Candidate, Choice},
    grammar::Parsed,
};
use crate::{
    lexical::{han_words, is_stop},
    nlu::{
        catalog::Catalog,
        tokens::Kind,
        vocabulary::{Lookup, Vocabulary},
    },
};

/// Evidence that a category needs.
#[derive(Clone, Copy)]
pub(super) struct TitleEvidence {
    /// Share of the items with the words in the title that have the category.
    share: f64,
    /// Number of items with the words in the title.
    items: u64,
}

/// Evidence for a category to be required: one title may use any words.
pub(super) const CERTAIN: TitleEvidence = TitleEvidence {
    share: 0.9,
    items: 2,
};

/// Evidence for a category to be preferred.
pub(super) const LIKELY: TitleEvidence = TitleEvidence {
    share: 0.6,
    items: 1,
};

/// Share of the items with the words in any text that the category must have.
const MIN_TEXT_SHARE: f64 = 0.5;

/// Maximum numbers of English words and of Chinese characters not understood.
const MAX_LEFT_WORDS: usize = 5;
const MAX_LEFT_HAN: usize = 12;

/// Endings of English words that describe rather than name.
const DESCRIBING: [&str; 8] = ["proof", "able", "less", "ish", "ly", "ed", "est", "some"];

/// Returns the category that the words not understood name, if no other words name one.
pub(super) fn learned_category(
    text: &str,
    parsed: &Parsed,
    vocabulary: &Vocabulary,
    chosen: &[Option<usize>],
    catalog: &dyn Catalog,
    needed: TitleEvidence,
) -> Option<Candidate> {
    let mut left = parsed.left.clone();
    let mut phrases = Vec::new();
    for (candidate, choice) in parsed.candidates.iter().zip(chosen) {
        match choice {
            None if !candidate.soft => left[candidate.tokens.clone()].fill(true),
            Some(_) if !candidate.soft && !candidate.negated && candidate.tokens.len() > 1 => {
                phrases.push(candidate.tokens.clone());
            }
            _ => {}
        }
    }
    let mut spans: Vec<Range<usize>> = Vec::new();
    if left.iter().filter(|left| **left).count() <= most_words(parsed) {
        let runs = runs(parsed, &left).into_iter();
        spans.extend(runs.flat_map(|run| endings(text, parsed, &run)));
    }
    let category = |span: &Range<usize>| {
        let (first, last) = (&parsed.tokens[span.start], &parsed.tokens[span.end - 1]);
        Some((
            span.clone(),
            vec![category_of(&text[first.start..last.end], catalog, needed)?],
        ))
    };
    let named = |span| named_at_end(parsed, vocabulary, span);
    let found = spans.iter().find_map(category);
    let found = found.or_else(|| phrases.iter().find_map(named));
    let (tokens, values) = found.or_else(|| phrases.iter().find_map(category))?;
    let field = "category".to_owned();
    Some(Candidate {
        tokens,
        choices: vec![Choice { field, values }],
        negated: false,
        joined: false,
        purpose: true,
        soft: false,
    })
}

/// Returns the categories that the end of a value names: "tea" of "green tea".
fn named_at_end(
    parsed: &Parsed,
    vocabulary: &Vocabulary,
    span: &Range<usize>,
) -> Option<(Range<usize>, Vec<String>)> {
    (span.start + 1..span.end).find_map(|start| {
        let tokens = &parsed.tokens[start..span.end];
        let named = vocabulary.longest_at(tokens);
        let values = match named {
            Some((n, Lookup::Values(values))) if n == tokens.len() => Some(values),
            _ => None,
        };
        let near = vocabulary.categories_near(tokens);
        let meanings = values.into_iter().chain(near).flatten();
        let categories = meanings.filter(|m| m.field == "category");
        let paths: Vec<String> = categories.map(|m| m.value.clone()).collect();
        (!paths.is_empty()).then_some((start..span.end, paths))
    })
}

/// Maximum number of words not understood of a query that still names a thing; a longer one tells a
/// story.
fn most_words(parsed: &Parsed) -> usize {
    match parsed.tokens.iter().any(|t| t.kind == Kind::Han) {
        true => MAX_LEFT_HAN,
        false => MAX_LEFT_WORDS,
    }
}

/// Returns the runs of words not understood: English ones in order, Chinese ones from the end, so
/// that the first is the likeliest to have the noun.
fn runs(parsed: &Parsed, left: &[bool]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, token) in parsed.tokens.iter().enumerate() {
        let is_word = left[at] && matches!(token.kind, Kind::Word | Kind::Han);
        match runs.last_mut() {
            Some(run) if is_word && run.end == at => run.end = at + 1,
            _ if is_word => runs.push(at..at + 1),
            _ => {}
        }
    }
    if parsed.tokens.iter().any(|t| t.kind == Kind::Han) {
        runs.reverse();
    }
    runs
}

/// Returns the last words of a run, the longest phrase first.
fn endings(text: &str, parsed: &Parsed, run: &Range<usize>) -> Vec<Range<usize>> {
    let tokens = &parsed.tokens;
    let mut starts: Vec<usize> = Vec::new();
    if tokens[run.end - 1].kind == Kind::Han {
        let (from, to) = (tokens[run.start].start, tokens[run.end - 1].end);
        for word in han_words(&text[from..to]).into_iter().rev().take(3) {
            let start = from + word.start;
            starts.extend((run.start..run.end).find(|at| tokens[*at].start >= start));
        }
    } else {
        starts.extend((run.start.max(run.end.saturating_sub(3))..run.end).rev());
    }
    starts.reverse();
    let spans = starts.into_iter().map(|start| start..run.end);
    spans.filter(|span| is_noun(parsed, span)).collect()
}

fn is_noun(parsed: &Parsed, span: &Range<usize>) -> bool {
    let last = &parsed.tokens[span.end - 1];
    match last.kind {
        Kind::Han => span.len() > 1,
        _ => {
            let form = last.form.as_str();
            let describes = DESCRIBING
                .iter()
                .any(|end| form.len() > end.len() + 2 && form.ends_with(end));
            form.len() > 2 && !is_stop(form) && !describes
        }
    }
}

/// Returns the category that a share of the items with the words in the title has, or the level
/// above it.
fn category_of(words: &str, catalog: &dyn Catalog, needed: TitleEvidence) -> Option<String> {
    let titled = catalog
        .with_phrase(words, false)
        .filter(|items| items.len() >= needed.items)?;
    let (leaf, _) = catalog.most_common("category", &titled)?;
    let above = CategoryPath::new(&leaf).parent();
    let above = above
        .filter(|path| path.depth() > 1)
        .map(|path| path.as_str().to_owned());
    let share = |items: &roaring::RoaringBitmap, path: &String| {
        let within = catalog.with_values("category", std::slice::from_ref(path));
        within.intersection_len(items) as f64 / items.len() as f64
    };
    let path = [Some(leaf), above]
        .into_iter()
        .flatten()
        .find(|path| share(&titled, path) >= needed.share)?;
    let anywhere = catalog.with_phrase(words, true)?;
    (share(&anywhere, &path) >= MIN_TEXT_SHARE).then_some(path)
}
