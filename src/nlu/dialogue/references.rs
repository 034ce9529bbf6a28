//! References to items: "more like the second", "not the first".

use vitrine_schemas::{ActKind, DialogueAct};

use super::{
    positions::position_at,
    reader::{Reader, bare},
    state,
};
use crate::nlu::{
    lexicon::{Phrase, has},
    tokens::{Kind, Token},
};

/// Words before the position of an item.
enum Lead {
    Like,
    With,
    Not,
    Bare,
}

impl Reader<'_> {
    /// Interprets "more like the second", "the last one", 和第三个类似的, "not the first".
    pub(super) fn item(&mut self, at: usize) -> Option<usize> {
        if self.shown.is_empty() || self.bounds_amount(at) {
            return None;
        }
        let found = self.found(at, &[Phrase::Like, Phrase::Not, Phrase::With]);
        let (n, lead) = match found {
            Some((n, Phrase::Like)) => (n, Lead::Like),
            Some((n, Phrase::Not)) => (n, Lead::Not),
            Some((n, _)) => (n, Lead::With),
            None => (0, Lead::Bare),
        };
        let Some(reference) = position_at(&self.tokens[at + n..]) else {
            return self.again(at).or_else(|| self.this(at, n, lead));
        };
        let end = at + n + reference.length;
        let alike = self.phrase(end, &[Phrase::Alike]).unwrap_or_default();
        let unwanted = self
            .phrase(end, &[Phrase::Unwanted])
            .filter(|n| self.closes(end + n));
        let lead = if unwanted.is_some() { Lead::Not } else { lead };
        let alike = unwanted.unwrap_or(alike);
        let fits = match lead {
            Lead::With => alike > 0,
            _ if unwanted.is_some() => true,
            Lead::Like | Lead::Not => reference.sure || alike > 0 || self.closes(end),
            Lead::Bare => alike > 0 || self.closes(end),
        };
        if !fits {
            return None;
        }
        let n = n + reference.length + alike;
        let Some(index) = reference.position.index(self.shown.len()) else {
            self.missing(at..at + n);
            return Some(self.take(at, n));
        };
        let item = self.shown[index].clone();
        let mut act = bare(ActKind::Like);
        act.item = Some(item.id.clone());
        match lead {
            Lead::Not => {
                act.kind = ActKind::Exclude;
                state::exclude_item(&mut self.state, &item.id);
            }
            _ => state::like(&mut self.state, item),
        }
        self.push(at..at + n, act);
        Some(self.take(at, n))
    }

    /// Returns true for "tops" after an amount: "five bucks tops".
    fn bounds_amount(&self, at: usize) -> bool {
        let amounts = &self.lexicon.amounts;
        let is_amount = |t: &Token| {
            matches!(t.kind, Kind::Number(_))
                || has(&amounts.currencies, &t.form)
                || amounts.number_words.contains_key(&t.form)
        };
        let before = at.checked_sub(1).map(|at| &self.tokens[at]);
        has(&amounts.bounds_after, &self.tokens[at].form) && before.is_some_and(is_amount)
    }

    /// Skips "more like that", 类似的 after an item that the turn has named.
    fn again(&mut self, at: usize) -> Option<usize> {
        let is_named = |(_, act): &(usize, DialogueAct)| act.kind == ActKind::Like;
        if !self.acts.iter().any(is_named) {
            return None;
        }
        let like = self.phrase(at, &[Phrase::Like]).unwrap_or_default();
        let this = self.phrase(at + like, &[Phrase::This]).unwrap_or_default();
        let n = match (like, this) {
            (like, this) if like > 0 && this > 0 => like + this,
            _ => self.phrase(at, &[Phrase::Alike])?,
        };
        Some(self.take(at, n))
    }

    /// Reports "more like this" as unclear: it names no item.
    fn this(&mut self, at: usize, n: usize, lead: Lead) -> Option<usize> {
        let m = self.phrase(at + n, &[Phrase::This])?;
        let alike = self
            .phrase(at + n + m, &[Phrase::Alike])
            .unwrap_or_default();
        if !matches!(lead, Lead::Like | Lead::With) || n == 0 || !self.closes(at + n + m + alike) {
            return None;
        }
        let n = n + m + alike;
        self.unclear(at..at + n, "say which one: \"the second\", 第二个");
        Some(self.take(at, n))
    }
}
