//! Edits of conditions: "any color", "need not be leather", "also in blue", and all remaining
//! words.

use std::collections::BTreeMap;

use vitrine_schemas::{ActKind, DialogueAct, Range, Unclear};

use super::{
    leftovers::Leftover,
    reader::{Reader, bare},
    state,
    trimming::trimmed,
};
use crate::nlu::{
    lexicon::{Phrase, has},
    tokens::{Kind, key},
    understanding::{Constraint, Understanding, days},
    vocabulary::Lookup,
};

/// Values of a field that a turn names.
#[derive(Default)]
struct Wanted {
    /// Byte offset of the first value.
    start: usize,
    values: Vec<String>,
    words: Vec<String>,
}

impl Reader<'_> {
    /// Interprets "any color", "no price limit", 颜色不限, 什么牌子都行.
    pub(super) fn any_field(&mut self, at: usize) -> Option<usize> {
        if let Some(n) = self.phrase(at, &[Phrase::AnyAll]) {
            for filter in std::mem::take(&mut self.state.filters) {
                let mut act = bare(ActKind::Drop);
                act.field = Some(filter.field);
                self.push(at..at + n, act);
            }
            return Some(self.take(at, n));
        }
        let lead = self.phrase(at, &[Phrase::Any]).unwrap_or_default();
        let from = if lead > 0 {
            self.skip_small(at + lead)
        } else {
            at
        };
        let (n, field) = self.field(from)?;
        let limit = self.phrase(from + n, &[Phrase::Limit]).unwrap_or_default();
        let mut end = from + n + limit;
        let after = match lead {
            0 => {
                end = self.skip_small(end);
                self.phrase(end, &[Phrase::NoMatter])?
            }
            _ => self
                .found(end, &[Phrase::NoMatter, Phrase::Fine])
                .map_or(0, |(n, _)| n),
        };
        // 价格放宽到四百 names a new bound.
        let to = self.tokens.get(end + after);
        if to.is_some_and(|t| has(&self.lexicon.targets, &t.form)) {
            return None;
        }
        state::drop_part(&mut self.state, &field);
        let n = end + after - at;
        let mut act = bare(ActKind::Drop);
        act.field = Some(field);
        self.push(at..at + n, act);
        Some(self.take(at, n))
    }

    /// Interprets "doesn't have to be leather", 不一定要蓝色.
    pub(super) fn need_not(&mut self, at: usize) -> Option<usize> {
        let n = self.phrase(at, &[Phrase::NeedNot])?;
        let from = self.skip_small(at + n);
        let (m, Lookup::Values(meanings)) = self.vocabulary.longest_at(self.tokens.get(from..)?)?
        else {
            return None;
        };
        for meaning in meanings {
            let values = [meaning.value.clone()];
            let held = self
                .state
                .filters
                .iter()
                .any(|f| f.field == meaning.field && f.values.contains(&meaning.value));
            state::clear(&mut self.state, &meaning.field, &values);
            if held {
                let mut act = bare(ActKind::Drop);
                act.field = Some(meaning.field.clone());
                act.values = values.into();
                self.push(at..from + m, act);
            }
        }
        Some(self.take(at, from + m - at))
    }

    /// Interprets "also", "or", "instead", which apply to the remaining values and words.
    pub(super) fn manner(&mut self, at: usize) -> Option<usize> {
        let (n, phrase) = self.found(at, &[Phrase::Instead, Phrase::Also, Phrase::Or])?;
        let first = self.tokens[..at]
            .iter()
            .zip(&self.taken)
            .all(|(t, taken)| *taken || t.kind == Kind::Break);
        match phrase {
            _ if self.is_value(at, n) => return None,
            Phrase::Or if !first => return None,
            Phrase::Instead => self.instead = true,
            _ => self.add_values = true,
        }
        Some(self.take(at, n))
    }

    /// Interprets the remaining words as a query.
    pub(super) fn remaining_query(&mut self) {
        let left = self.left();
        let required = state::required(&self.state);
        let understood = Understanding::within(
            &left,
            self.language,
            self.vocabulary,
            &[],
            self.catalog,
            &required,
        );
        let mut wanted: BTreeMap<(String, bool), Wanted> = BTreeMap::new();
        for part in &understood.parts {
            let words = self.text[part.span.clone()].to_owned();
            let (field, value, negated) = match &part.constraint {
                Constraint::Must { field, value } => (field, value, false),
                Constraint::MustNot { field, value } => (field, value, true),
                other => {
                    self.other_constraint(part.span.start, other, words);
                    continue;
                }
            };
            let entry = wanted.entry((field.clone(), negated)).or_default();
            if entry.words.is_empty() {
                entry.start = part.span.start;
            }
            for (list, one) in [(&mut entry.values, value), (&mut entry.words, &words)] {
                if !list.contains(one) {
                    list.push(one.clone());
                }
            }
        }
        for ((field, negated), one) in wanted {
            let (values, words) = (one.values, one.words.join(" "));
            if field == "category" && !negated {
                self.drop_foreign(&values);
            }
            let is_allowed = !negated && self.allows_again(&field, &values);
            if negated {
                state::exclude(&mut self.state, &field, &values, &words);
            } else if is_allowed {
                state::clear(&mut self.state, &field, &values);
            } else {
                state::require(&mut self.state, &field, &values, &words, self.add_values);
            }
            let kind = match (is_allowed, self.add_values && !negated) {
                (true, _) => ActKind::Drop,
                (false, true) => ActKind::Add,
                (false, false) => ActKind::Filter,
            };
            let act = DialogueAct {
                field: Some(field),
                values,
                words,
                negated,
                ..bare(kind)
            };
            self.acts.push((one.start, act));
        }
        match self.leftover(&understood, trimmed(&understood.text, self.language)) {
            Leftover::Words(words) => {
                state::set_text(&mut self.state, &words, self.instead);
                let act = DialogueAct {
                    words,
                    field: Some("text".into()),
                    ..bare(ActKind::Words)
                };
                self.acts.push((self.text.len(), act));
            }
            Leftover::Unknown(words) if self.acts.is_empty() => self.unclear.push(Unclear {
                words,
                detail: "no item tells of this; say a kind, a color, a price, a position".into(),
            }),
            Leftover::Unknown(_) | Leftover::Nothing => {}
        }
    }

    /// Returns true for values that were excluded and are no more: "salmon is fine after all".
    fn allows_again(&self, field: &str, values: &[String]) -> bool {
        let says_fine =
            || (0..self.tokens.len()).any(|at| self.phrase(at, &[Phrase::Okay]).is_some());
        let mut filters = self.state.filters.iter();
        let is_excluded = filters
            .any(|f| f.negated && f.field == field && values.iter().any(|v| f.values.contains(v)));
        is_excluded && says_fine()
    }

    /// Drops conditions on fields that no item of the new categories has: a dress had a size, a
    /// phone has none.
    fn drop_foreign(&mut self, categories: &[String]) {
        let Some(catalog) = self.catalog else {
            return;
        };
        let items = catalog.with_values("category", categories);
        self.state.filters.retain(|f| {
            f.values.is_empty() && f.is.is_none()
                || !catalog.with_field(&f.field).is_disjoint(&items)
        });
    }

    /// Applies a price, a rating, an availability, an order.
    fn other_constraint(&mut self, start: usize, constraint: &Constraint, words: String) {
        let mut act = bare(ActKind::Filter);
        match constraint {
            Constraint::Price(bounds) | Constraint::Range { bounds, .. } => {
                let field = match constraint {
                    Constraint::Range { field, .. } => field.as_str(),
                    _ => "price",
                };
                let range = Range::from(*bounds);
                state::bound(&mut self.state, field, &range, &words);
                (act.field, act.range) = (Some(field.to_owned()), Some(range));
            }
            Constraint::Days { field, from, until } => {
                let range = days(*from, *until);
                state::bound(&mut self.state, field, &range, &words);
                (act.field, act.range) = (Some(field.clone()), Some(range));
            }
            Constraint::Is { field, value } => {
                state::require_flag(&mut self.state, field, *value, &words);
                (act.field, act.values) = (Some(field.clone()), vec![value.to_string()]);
            }
            // The reader takes orders; values are conditions.
            Constraint::Sort(_) | Constraint::Must { .. } | Constraint::MustNot { .. } => return,
        }
        act.words = words;
        self.acts.push((start, act));
    }

    /// Returns the field whose name begins at a token, with the number of tokens.
    pub(super) fn field(&self, at: usize) -> Option<(usize, String)> {
        let ahead = self.tokens.get(at..)?;
        (1..=3.min(ahead.len()))
            .rev()
            .find_map(|n| Some((n, self.fields.get(&key(&ahead[..n]))?.clone())))
    }
}
