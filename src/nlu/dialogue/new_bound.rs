//! New bounds of the price: "make that 100", 价格放宽到四百.

use vitrine_schemas::{ActKind, DialogueFilter, Range, Scalar};

use super::{
    reader::{Reader, bare},
    state,
};
use crate::nlu::{
    lexicon::{Phrase, has},
    numbers::number_at,
    tokens::Kind,
};

/// Words that may stand around the number.
const AROUND: [Phrase; 5] = [
    Phrase::Instead,
    Phrase::Filler,
    Phrase::Polite,
    Phrase::Closing,
    Phrase::Chat,
];

impl Reader<'_> {
    /// Interprets a number that replaces the bound of the price. Returns true if the turn is only
    /// this.
    pub(super) fn new_bound(&mut self) -> bool {
        let is_price = |f: &&DialogueFilter| f.field == "price" && f.range.is_some();
        let old = self.state.filters.iter().find(is_price);
        let Some(range) = old.and_then(|old| old.range.clone()) else {
            return false;
        };
        let Some(amount) = self.only_number().filter(|_| self.acts.is_empty()) else {
            return false;
        };
        let amount = Some(Scalar::Float(amount));
        let bound = match range.lte.is_some() || range.lt.is_some() {
            true => Range {
                lte: amount,
                ..Range::default()
            },
            false => Range {
                gte: amount,
                ..Range::default()
            },
        };
        state::drop_part(&mut self.state, "price");
        let all = 0..self.tokens.len();
        let words = self.words(all.clone());
        state::bound(&mut self.state, "price", &bound, &words);
        let mut act = bare(ActKind::Filter);
        (act.field, act.range) = (Some("price".into()), Some(bound));
        self.push(all, act);
        true
    }

    /// Returns the number of the turn, if it says nothing else.
    fn only_number(&self) -> Option<f64> {
        let (mut at, mut amount) = (0, None);
        while let Some(token) = self.tokens.get(at) {
            let is_currency = has(&self.lexicon.amounts.currencies, &token.form);
            let joins = has(&self.lexicon.amounts.ranges, &token.form)
                || has(&self.lexicon.targets, &token.form);
            let found = number_at(&self.tokens[at..]).filter(|(_, x)| *x >= 2.0);
            at += match found {
                Some((n, number)) if amount.is_none() => {
                    amount = Some(number);
                    n
                }
                _ if is_currency || joins => 1,
                _ if matches!(token.kind, Kind::Break | Kind::Sign) => 1,
                _ => match self.field(at).filter(|(_, field)| field == "price") {
                    Some((n, _)) => n,
                    None => self.phrase(at, &AROUND)?,
                },
            };
        }
        amount
    }
}
