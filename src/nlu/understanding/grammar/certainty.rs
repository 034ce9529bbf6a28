//! Words that may be a value, a part of a word, or nothing.

use std::{collections::BTreeSet, ops::Range};

use super::{AUDIENCE, Parser, is_short};
use crate::nlu::{
    lexicon::{Role, has},
    tokens::{Kind, Token},
    vocabulary::{FieldKind, Lookup, Meaning},
};

impl Parser<'_> {
    /// Returns true if a role of one Chinese character is only a part of a word: 他 of 吉他.
    pub(super) fn cuts_word(&self, n: usize, role: Role) -> bool {
        let may_cut = matches!(role, Role::Filler | Role::Recipient(_) | Role::InStock);
        may_cut && n == 1 && self.tokens[self.at].kind == Kind::Han && self.is_inside_word(self.at)
    }

    /// Returns true if a Chinese word of two or three characters begins before the token or ends
    /// after it, and phrases do not make it up.
    pub(super) fn is_inside_word(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let holds = |w: &&Range<usize>| w.start <= token.start && token.end <= w.end;
        let Some(word) = self.words.iter().find(holds) else {
            return false;
        };
        let inside = self
            .tokens
            .iter()
            .filter(|t| word.start <= t.start && t.end <= word.end);
        let count = inside.count();
        token.kind == Kind::Han && (2..=3).contains(&count) && !self.is_made_of_phrases(word)
    }

    /// Returns true if phrases cover a word: 想买, 我要.
    pub(super) fn is_made_of_phrases(&self, word: &Range<usize>) -> bool {
        let Some(mut at) = self.tokens.iter().position(|t| t.start == word.start) else {
            return false;
        };
        while self.tokens.get(at).is_some_and(|t| t.end <= word.end) {
            match self.vocabulary.longest_at(&self.tokens[at..]) {
                Some((n, _)) => at += n,
                None => return false,
            }
        }
        true
    }

    /// Returns true if a value is meant; a single letter, number or character is ambiguous.
    pub(super) fn is_meant(&self, n: usize, meanings: &BTreeSet<Meaning>) -> bool {
        if self.is_evidence && self.may_be_meant(n, meanings) {
            return true;
        }
        let token = &self.tokens[self.at];
        let after = &self.tokens[self.at + n..];
        let marked = || self.context.next.size || self.size_mark_at(self.at + n);
        if self.is_glued(n) {
            return false;
        }
        match token.kind {
            Kind::Han if !AUDIENCE.contains(&token.form.as_str()) && self.begins_another(n) => {
                false
            }
            _ if n > 1 => true,
            Kind::Number(_) => self.context.category || marked(),
            Kind::Word if is_short(token) => marked(),
            Kind::Han
                if !AUDIENCE.contains(&token.form.as_str())
                    && !meanings.iter().any(|m| m.field == "category") =>
            {
                let next_is_han = after.first().is_some_and(|t| t.kind == Kind::Han);
                !next_is_han || self.vocabulary.longest_at(after).is_some()
            }
            _ => true,
        }
    }

    /// Returns true for values that only items can confirm: a part of a longer Chinese word, a size
    /// without "size".
    pub(super) fn may_be_meant(&self, n: usize, meanings: &BTreeSet<Meaning>) -> bool {
        let token = &self.tokens[self.at];
        let is_size = |m: &Meaning| {
            self.vocabulary.field_named("size", &[FieldKind::Keyword]) == Some(m.field.as_str())
        };
        let particle = |t: &Token| ["的", "码", "号"].contains(&t.form.as_str());
        match token.kind {
            _ if self.is_glued(n) => false,
            Kind::Han => n > 1,
            Kind::Number(_) if n == 1 && meanings.iter().any(is_size) => {
                let next = self.tokens.get(self.at + 1);
                let joins = |t: &Token| has(&self.lexicon.amounts.alternatives, &t.form);
                let number = |t: &Token| matches!(t.kind, Kind::Number(_));
                // "42 or 43"
                let is_first =
                    next.is_some_and(joins) && self.tokens.get(self.at + 2).is_some_and(number);
                is_first || next.is_none_or(|t| t.kind == Kind::Break || particle(t))
            }
            Kind::Word if n == 1 && is_short(token) && meanings.iter().any(is_size) => {
                self.is_upper(self.at)
            }
            _ => false,
        }
    }

    /// Returns true for a capital letter other than A and I.
    pub(super) fn is_upper(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        let written = self.text[token.start..token.end].chars().next();
        written.is_some_and(|c| c.is_uppercase() && !"AI".contains(c))
    }

    /// Returns true if a number stands directly beside letters: XL in 2XL is not XL.
    pub(super) fn is_glued(&self, n: usize) -> bool {
        let is_plain = |t: &Token| matches!(t.kind, Kind::Word | Kind::Number(_));
        let (first, last) = (&self.tokens[self.at], &self.tokens[self.at + n - 1]);
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        let after = self.tokens.get(self.at + n);
        // Parts of a compound are words.
        let joins = |a: &Token, b: &Token| {
            is_plain(a)
                && is_plain(b)
                && a.end == b.start
                && [a, b].iter().any(|t| t.kind != Kind::Word)
        };
        before.is_some_and(|t| joins(t, first)) || after.is_some_and(|t| joins(last, t))
    }

    /// Returns true if a Chinese word continues after `n` tokens with an unknown rest: 家居 in 家居服
    /// does not mean furniture. Conversely, 鞋 in 跑步鞋 is meant: the end of a word is its head.
    pub(super) fn begins_another(&self, n: usize) -> bool {
        let after = &self.tokens[self.at + n..];
        let end = self.tokens[self.at + n - 1].end;
        let goes_on = self.words.iter().any(|w| w.start < end && end < w.end);
        goes_on && self.vocabulary.longest_at(after).is_none()
    }

    pub(super) fn size_follows(&self, n: usize) -> bool {
        let after = &self.tokens[self.at + n..];
        matches!(
            self.vocabulary.longest_at(after),
            Some((_, Lookup::Values(_)))
        )
    }

    pub(super) fn size_mark_at(&self, at: usize) -> bool {
        self.vocabulary
            .role_at(&self.tokens[at..], |r| r == Role::SizeMark)
            .is_some()
    }
}
