//! Evidence of the titles for the meaning of words: what items say the words and their neighbors.

use std::ops::Range;

use super::{
    candidates::{Candidate, Choice},
    evidence::Evidence,
};
use crate::nlu::{
    tokens::{Kind, Token},
    vocabulary::is_brand,
};

/// Share of the items with a phrase in the title that must have a value for a word of the phrase to
/// mean it.
const MIN_PHRASE_SHARE: f64 = 0.5;

impl Evidence<'_> {
    /// Returns true if the words and a neighbor are a phrase of titles whose items mostly do not
    /// have the value: "green" in "green tea". A part of a longer Chinese word must be confirmed by
    /// such titles.
    pub(super) fn is_part_of_name(&self, candidate: &Candidate, choice: &Choice) -> bool {
        let tokens = &self.parsed.tokens;
        let (start, end) = (candidate.tokens.start, candidate.tokens.end);
        let is_word = |t: &Token| matches!(t.kind, Kind::Word | Kind::Han);
        let after = tokens.get(end).filter(|t| is_word(t));
        let after = after.map(|_| (start..end + 1, self.cuts_word(candidate, true)));
        // 鞋 is the head of 跑步鞋, but 皮 no leather in 起皮.
        let cuts_start = end - start == 1 && choice.field != "category";
        let cuts_start = cuts_start && self.cuts_word(candidate, false);
        let before = start.checked_sub(1).filter(|at| is_word(&tokens[*at]));
        let before = before.map(|at| (at..end, cuts_start));
        [after, before].into_iter().flatten().any(|(span, cuts)| {
            let Some(items) = self.catalog.with_phrase(self.words(span), false) else {
                return false;
            };
            if cuts && items.is_empty() {
                return true;
            }
            let all = items.len() as f64;
            let with = items & self.catalog.with_values(&choice.field, &choice.values);
            all > 0.0 && (with.len() as f64) < MIN_PHRASE_SHARE * all
        })
    }

    /// Returns true if a Chinese word goes on after the candidate, or began before it, and no other
    /// candidate has the rest.
    fn cuts_word(&self, candidate: &Candidate, at_end: bool) -> bool {
        let tokens = &self.parsed.tokens;
        let border = match at_end {
            true => tokens[candidate.tokens.end - 1].end,
            false => tokens[candidate.tokens.start].start,
        };
        let mut words = self.parsed.words.iter();
        let cut = words.any(|w| w.start < border && border < w.end);
        let beside = |c: &Candidate| match at_end {
            true => c.tokens.start == candidate.tokens.end,
            false => c.tokens.end == candidate.tokens.start,
        };
        cut && !self.parsed.candidates.iter().any(beside)
    }

    /// Returns true if the name of a brand is used for other things, and the other words of the
    /// query are not of the brand: "keep" in "keep coffee hot".
    pub(super) fn is_common_word(&self, candidate: &Candidate, choice: &Choice) -> bool {
        if !is_brand(&choice.field) || candidate.negated {
            return false;
        }
        let of_brand = self.catalog.with_values(&choice.field, &choice.values);
        let words = self.words(candidate.tokens.clone());
        let used = self.catalog.with_phrase(words, true);
        if used.is_some_and(|used| (used - &of_brand).is_empty()) {
            return false;
        }
        // Single Chinese characters are in all kinds of words.
        let is_word = |at: &usize| self.parsed.tokens[*at].kind == Kind::Word;
        let others = (0..self.parsed.tokens.len()).filter(|at| self.parsed.left[*at]);
        let others = others.filter(is_word);
        let others = others.filter_map(|at| self.catalog.with_phrase(self.words(at..at + 1), true));
        let others: Vec<_> = others.filter(|items| !items.is_empty()).collect();
        let fitting = others.iter().filter(|items| !items.is_disjoint(&of_brand));
        2 * fitting.count() < others.len()
    }

    /// Returns the share of the items with the words in the title that have the value, if the words
    /// have several meanings.
    pub(super) fn share_of_titles(&self, candidate: &Candidate, choice: &Choice) -> f64 {
        if candidate.choices.len() < 2 || choice.field == "category" {
            return 0.0;
        }
        let words = self.words(candidate.tokens.clone());
        let items = self.catalog.with_phrase(words, false);
        let items = items.filter(|items| !items.is_empty());
        items.map_or(0.0, |items| {
            let with = self.catalog.with_values(&choice.field, &choice.values);
            with.intersection_len(&items) as f64 / items.len() as f64
        })
    }

    /// Returns true if items with the value are among the excluded ones: "apple except phones"
    /// means the maker of phones.
    pub(super) fn is_among_excluded(&self, choice: &Choice) -> bool {
        let with = self.catalog.with_values(&choice.field, &choice.values);
        let excluded = self.parsed.candidates.iter().filter(|c| c.negated);
        let others = excluded.flat_map(|c| &c.choices);
        let mut others = others.filter(|other| other.field != choice.field);
        others.any(|other| {
            let items = self.catalog.with_values(&other.field, &other.values);
            !items.is_disjoint(&with)
        })
    }

    /// Returns true if the words are a plural that the value is not: glasses are not the material.
    pub(super) fn is_plural(&self, candidate: &Candidate, choice: &Choice) -> bool {
        let last = &self.parsed.tokens[candidate.tokens.end - 1];
        let written = self.text[last.start..last.end].to_lowercase();
        let is_plural = last.kind == Kind::Word
            && candidate.choices.len() > 1
            && written.ends_with('s')
            && written != last.form
            && !written.contains('\'');
        is_plural
            && choice.field != "category"
            && !choice
                .values
                .iter()
                .any(|v| v.to_lowercase().ends_with(&written))
    }

    pub(super) fn words(&self, span: Range<usize>) -> &str {
        let tokens = &self.parsed.tokens;
        &self.text[tokens[span.start].start..tokens[span.end - 1].end]
    }
}
