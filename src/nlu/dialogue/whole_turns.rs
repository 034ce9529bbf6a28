//! Turns that are one request: undo, more results, a comparison of shown items.

use vitrine_schemas::{ActKind, DialogueAct};

use super::{
    positions::{Position, position_at},
    reader::{Reader, bare},
};
use crate::nlu::{
    language::lexicon_of,
    lexicon::{Phrase, has},
    numbers::number_at,
    tokens::{Kind, key},
};

impl Reader<'_> {
    /// Returns true if the turn has a phrase and else only courtesy.
    pub(super) fn is_only(&self, wanted: Phrase) -> bool {
        let around = [
            Phrase::Filler,
            Phrase::Polite,
            Phrase::Closing,
            Phrase::Chat,
        ];
        let (mut at, mut found) = (0, false);
        while let Some(token) = self.tokens.get(at) {
            // "more like this" names an item.
            if wanted == Phrase::More && self.phrase(at, &[Phrase::This]).is_some() {
                return false;
            }
            let phrase = self.phrase(at, &[wanted]);
            // "vergiss das" takes back, "vergiss das alles" starts over.
            let reset = self.phrase(at, &[Phrase::Reset]);
            if wanted == Phrase::Undo && reset > phrase && phrase.is_some() {
                return false;
            }
            let other = self.phrase(at, &around);
            at += match (phrase, other) {
                (Some(n), other) if other.is_none_or(|other| n >= other) => {
                    found = true;
                    n
                }
                (_, Some(n)) => n,
                _ if matches!(token.kind, Kind::Break | Kind::Sign) => 1,
                _ => return false,
            };
        }
        found
    }

    /// Interprets "is the first lighter than the second?", 第一个和第二个哪个便宜. Returns true if the turn
    /// is such a question.
    pub(super) fn contrast(&mut self) -> bool {
        let last = self.tokens.iter().rev().find(|t| t.kind != Kind::Break);
        let particle = last.is_some_and(|t| ["吗", "呢"].contains(&t.form.as_str()));
        let asks = particle || self.text.contains(['?', '？', '哪', '谁']);
        let begins = self.skip(0, &[Phrase::Filler, Phrase::Polite]);
        let mut at = 0;
        let (mut positions, mut contrast_end, mut compared) = (Vec::new(), None, None);
        while at < self.tokens.len() {
            if let Some((n, count)) = self.first_few(at) {
                positions.extend((0..count).map(Position::At));
                at += n;
                continue;
            }
            if let Some(found) = position_at(&self.tokens[at..]) {
                positions.push(found.position);
                at += found.length;
                continue;
            }
            if let Some(number) = self.number_after_and(at, &positions) {
                positions.push(number);
            }
            let n = self.phrase(at, &[Phrase::Contrast]);
            contrast_end = n.map(|n| at + n).or(contrast_end);
            compared = compared.or_else(|| self.comparative(at));
            at += 1;
        }
        positions.dedup();
        let Some(end) = contrast_end.filter(|_| positions.len() > 1) else {
            return false;
        };
        let begins_so = begins == 0 && self.phrase(0, &[Phrase::Contrast]).is_some();
        let closing = [Phrase::Closing, Phrase::Polite, Phrase::Chat];
        let ends_so = self.skip(end, &closing) == self.tokens.len();
        if !(asks || begins_so || ends_so || compared.is_some()) {
            return false;
        }
        let all = 0..self.tokens.len();
        let mut act = bare(ActKind::Compare);
        act.field = compared;
        for position in positions {
            match position.index(self.shown.len()) {
                Some(index) => act.items.push(self.shown[index].id.clone()),
                None => {
                    self.missing(all);
                    return true;
                }
            }
        }
        self.push(all, act);
        true
    }

    /// Returns the length of "first two", 前两个, and the number.
    fn first_few(&self, at: usize) -> Option<(usize, usize)> {
        let positions = &self.lexicon.positions;
        let the = usize::from(has(&positions.articles, &self.tokens[at].form));
        let leads = has(&positions.few, &self.tokens.get(at + the)?.form);
        let (n, count) = number_at(self.tokens.get(at + the + 1..)?).filter(|_| leads)?;
        [2.0, 3.0]
            .contains(&count)
            .then_some((the + 1 + n, count as usize))
    }

    /// Returns a position that is only a number: "compare 1 and 2", "the first two".
    fn number_after_and(&self, at: usize, before: &[Position]) -> Option<Position> {
        let compares = self
            .tokens
            .iter()
            .any(|t| has(&self.lexicon.positions.compare_marks, &t.form));
        let positions = &self.lexicon.positions;
        let is_mark = |at: usize| has(&positions.compare_marks, &self.tokens[at].form);
        let number = match self.tokens[at].kind {
            Kind::Number(number) => number,
            // "compare one and three", but not "compare the two".
            _ if before.is_empty() && !at.checked_sub(1).is_some_and(is_mark) => return None,
            _ => {
                let mut words = positions.numbers.iter();
                1.0 + words.position(|word| *word == self.tokens[at].form)? as f64
            }
        };
        let is_position = compares && number.fract() == 0.0 && (1.0..=100.0).contains(&number);
        let position = Position::At((number as usize).saturating_sub(1));
        (is_position && !before.contains(&position)).then_some(position)
    }

    /// Returns the field that a comparative at a token compares.
    fn comparative(&self, at: usize) -> Option<String> {
        let ahead = &self.tokens[at..];
        let han = ahead[0].kind == Kind::Han;
        (1..=3.min(ahead.len())).rev().find_map(|n| {
            let forms: Vec<_> = ahead[..n].iter().map(|t| t.form.as_str()).collect();
            let word = forms.join(if han { "" } else { " " });
            let mut groups = lexicon_of(ahead).comparatives.iter();
            let (group, _) = groups.find(|(_, words)| has(words, &word))?;
            Some(self.fields.get(group).unwrap_or(group).clone())
        })
    }

    /// Interprets "another color", "not this brand", 换个牌子: the present values of the field are not
    /// wanted.
    pub(super) fn another(&mut self, at: usize) -> Option<usize> {
        let n = self.phrase(at, &[Phrase::Other])?;
        let from = self.skip_small(at + n);
        let (m, field) = self.field(from)?;
        // "change the color to red" names the value.
        let after = from + m;
        let names_value = self
            .tokens
            .get(after)
            .is_some_and(|t| has(&self.lexicon.targets, &t.form) || self.is_value(after, 1));
        if field == "price" || names_value {
            return None;
        }
        let end = after + self.phrase(after, &[Phrase::Closing]).unwrap_or_default();
        let values = self.present_values(&field);
        if values.is_empty() {
            self.unclear(
                at..end,
                &format!("which {field} is not wanted? say its name"),
            );
            return Some(self.take(at, end - at));
        }
        let words = self.words(at..end);
        super::state::exclude(&mut self.state, &field, &values, &words);
        let act = DialogueAct {
            field: Some(field),
            values,
            negated: true,
            ..bare(ActKind::Filter)
        };
        self.push(at..end, act);
        Some(self.take(at, end - at))
    }

    /// Returns the values of a field that the state requires, or else those of the reference item
    /// or of the first item shown.
    fn present_values(&self, field: &str) -> Vec<String> {
        let mut filters = self.state.filters.iter();
        let required = filters.find(|f| f.field == field && !f.negated && !f.values.is_empty());
        if let Some(required) = required {
            return required.values.clone();
        }
        let item = self.state.like.as_ref().or(self.shown.first());
        let found = item.zip(self.catalog);
        found.map_or_else(Vec::new, |(item, catalog)| {
            catalog.values_of(&item.id, field)
        })
    }

    /// Returns true if the turn has the form of a question.
    pub(super) fn asks(&self) -> bool {
        let begins = self.skip(0, &[Phrase::Polite]);
        let question = self.phrase(begins, &[Phrase::Question]);
        let filler = self.phrase(begins, &[Phrase::Filler]);
        let asks = question.is_some_and(|n| filler.is_none_or(|m| m < n));
        // Chinese asks anywhere: 第三个会不会太大.
        let asks_later = |at: usize| {
            let is_han = self.tokens[at].kind == Kind::Han;
            is_han && self.phrase(at, &[Phrase::Question]).is_some_and(|n| n > 1)
        };
        asks || (begins..self.tokens.len()).any(asks_later)
    }

    /// Returns true if the turn asks about a shown item, or is about something that no item tells;
    /// `asks` is true for one in the form of a question.
    pub(super) fn is_off_topic(&self, asks: bool) -> bool {
        let places = 0..self.tokens.len();
        let mut positions = places.filter_map(|at| position_at(&self.tokens[at..]));
        asks && positions.any(|position| position.sure)
            || (0..self.tokens.len()).any(|at| {
                self.phrase(at, &[Phrase::OffTopic]).is_some_and(|n| {
                    let words = key(&self.tokens[at..at + n]);
                    let sold = self.catalog.and_then(|c| c.with_phrase(&words, false));
                    !self.is_value(at, n) && sold.is_none_or(|items| items.is_empty())
                })
            })
    }
}
