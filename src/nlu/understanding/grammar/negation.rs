//! Exclusions: "w/o leather", "leather-free", 小米的就算了, and "without sugar" where items are sugar
//! free.

use super::{Context, Parser};
use crate::nlu::{
    lexicon::Role,
    tokens::{Kind, Token},
    understanding::candidates::choices,
};

impl Parser<'_> {
    /// Interprets "without sugar", 没有糖 if items are "sugar free", 无糖.
    pub(super) fn free_of(&mut self) -> bool {
        let is_not = |role| role == Role::Not;
        let Some((n, _)) = self.vocabulary.role_at(&self.tokens[self.at..], is_not) else {
            return false;
        };
        let rest = &self.tokens[self.at + n..];
        for m in (1..=3.min(rest.len())).rev() {
            let is_han = rest[0].kind == Kind::Han;
            let words: Vec<_> = rest[..m].iter().map(|t| t.form.as_str()).collect();
            let words = words.join(if is_han { "" } else { " " });
            let written = &self.text[rest[0].start..rest[m - 1].end];
            let forms = self.lexicon.free_forms.iter();
            let names = forms.flat_map(|form| [&words, written].map(|w| form.replace("{}", w)));
            let names: Vec<String> = names.collect();
            let named = |name: &String| self.vocabulary.named(name, self.language);
            let found = choices(names.iter().flat_map(named), self.without);
            if !found.is_empty() {
                self.push(n + m, found);
                self.skip(n + m, Context::default());
                return true;
            }
        }
        false
    }

    /// "leather-free", 小米的就算了: the value before it is not wanted.
    pub(super) fn not_before(&mut self, n: usize) {
        let hyphen = self.at > 0 && self.tokens[self.at - 1].form == "-";
        let ends_here = |t: &&Token| t.kind == Kind::Word && t.end == self.tokens[self.at].start;
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        let is_glued = before.filter(ends_here).is_some();
        let joined = hyphen || is_glued || self.tokens[self.at].kind == Kind::Han || n > 1;
        if joined && self.negate_previous() {
            self.skip(n, Context::default());
        } else {
            self.word(n);
        }
    }

    /// Negates the values before the current token, if nothing stands between. Returns false if
    /// there are none.
    pub(super) fn negate_previous(&mut self) -> bool {
        let Some(last) = self.candidates.last() else {
            return false;
        };
        let between = last.tokens.end..self.at;
        let is_far = |at: usize| self.left[at] || self.tokens[at].kind == Kind::Break;
        if between.clone().any(is_far) || between.len() > 2 {
            return false;
        }
        for candidate in self.candidates.iter_mut().rev() {
            candidate.negated = true;
            if !candidate.joined {
                break;
            }
        }
        true
    }

    /// Returns true if nothing but particles follows until the clause ends.
    pub(super) fn ends_clause(&self, at: usize) -> bool {
        let mut ahead = self.tokens[at..].iter();
        let particle = |t: &&Token| ["的", "了", "吧", "啊"].contains(&t.form.as_str());
        ahead
            .find(|t| !particle(t))
            .is_none_or(|t| t.kind == Kind::Break)
    }

    /// A negation that no value followed stays in the text.
    pub(super) fn keep_not(&mut self) {
        if let Some(not) = self.context.not.take() {
            self.left[not].fill(true);
        }
    }
}
