//! Comparisons of prices: "cheaper", "pricier than the second".

use vitrine_schemas::{ActKind, DialogueAct, PriceBasis, Unclear};

use super::{
    positions::{PositionPhrase, position_at},
    price::{above, below, median},
    reader::{Reader, bare},
    state,
};
use crate::nlu::lexicon::Phrase;

impl Reader<'_> {
    /// Interprets "cheaper", "cheaper than the second", 比第二个便宜. [`Self::compare`] sets the price
    /// after all other phrases.
    pub(super) fn comparison(&mut self, at: usize) -> Option<usize> {
        const EITHER: &[Phrase] = &[Phrase::Cheaper, Phrase::Pricier];
        if self.shown.is_empty() && self.state.like.is_none() {
            return None;
        }
        if let Some(n) = self.phrase(at, &[Phrase::Compared]) {
            let (m, item) = self.compared_with(at + n)?;
            let after = at + n + m;
            // Alone, 贵 complains of the price.
            let is_dear = self.tokens.get(after).is_some_and(|t| t.form == "贵");
            let (k, phrase) = match self.found(after, EITHER) {
                None | Some((1, _)) if is_dear => (1, Phrase::Pricier),
                found => found?,
            };
            let length = n + m + k;
            return Some(self.priced(at, length, phrase, item));
        }
        let (n, phrase) = self.found(at, EITHER)?;
        if self.is_negated(at) || self.is_value(at, n) {
            return None;
        }
        let after = self.skip_small(at + n);
        if phrase == Phrase::Pricier
            && let Some(m) = self.phrase(after, &[Phrase::Okay])
        {
            state::drop_part(&mut self.state, "price");
            let n = after + m - at;
            let mut act = bare(ActKind::Drop);
            act.field = Some("price".into());
            self.push(at..at + n, act);
            return Some(self.take(at, n));
        }
        let (m, item) = match self.phrase(at + n, &[Phrase::Than]) {
            // "cheaper than 25" bounds the price as it stands.
            Some(m) => {
                let (k, item) = self.compared_with(at + n + m)?;
                (m + k, item)
            }
            None => (0, None),
        };
        Some(self.priced(at, n + m, phrase, item))
    }

    /// Returns the reference of a comparison: an item by its position, or the items shown.
    fn compared_with(&self, at: usize) -> Option<(usize, Option<PositionPhrase>)> {
        let place = position_at(self.tokens.get(at..)?);
        let this = || self.phrase(at, &[Phrase::This]);
        match place {
            Some(reference) => Some((reference.length, Some(reference))),
            None => Some((this()?, None)),
        }
    }

    fn priced(
        &mut self,
        at: usize,
        n: usize,
        phrase: Phrase,
        item: Option<PositionPhrase>,
    ) -> usize {
        let kind = match phrase {
            Phrase::Cheaper => ActKind::Cheaper,
            _ => ActKind::Pricier,
        };
        let mut act = bare(kind);
        act.field = Some("price".into());
        if let Some(reference) = item {
            act.basis = Some(PriceBasis::Named);
            match reference.position.index(self.shown.len()) {
                Some(index) => act.item = Some(self.shown[index].id.clone()),
                None => {
                    self.missing(at..at + n);
                    return self.take(at, n);
                }
            }
        }
        self.push(at..at + n, act);
        self.take(at, n)
    }

    /// Sets the price bound of "cheaper": the price of the named item, of the reference item, or
    /// the median of the items shown.
    pub(super) fn compare(&mut self) {
        let mut acts = std::mem::take(&mut self.acts);
        // "too expensive, under 50": the amount is more precise.
        let has_amount = |(_, act): &(usize, DialogueAct)| {
            act.kind == ActKind::Filter
                && act.range.is_some()
                && act.field.as_deref() == Some("price")
        };
        let has_amount = acts.iter().any(has_amount);
        acts.retain_mut(|(_, act)| {
            if !matches!(act.kind, ActKind::Cheaper | ActKind::Pricier) {
                return true;
            }
            if has_amount {
                return false;
            }
            let priced = |id: &str| self.shown.iter().find(|s| s.id == id)?.price;
            let liked = self.state.like.as_ref().and_then(|l| l.price);
            let (price, basis) = match (&act.item, liked) {
                (Some(id), _) => (priced(id), PriceBasis::Named),
                (None, Some(price)) => (Some(price), PriceBasis::Liked),
                (None, None) => (median(self.shown), PriceBasis::ShownMedian),
            };
            let Some(price) = price else {
                self.unclear.push(Unclear {
                    words: act.words.clone(),
                    detail:
                        "no price is shown to compare with; say an amount: \"under 50\", 50以下"
                            .into(),
                });
                return false;
            };
            let range = match act.kind {
                ActKind::Cheaper => below(price),
                _ => above(price),
            };
            state::bound(&mut self.state, "price", &range, &act.words);
            (act.range, act.basis) = (Some(range), Some(basis));
            true
        });
        self.acts = acts;
    }
}
