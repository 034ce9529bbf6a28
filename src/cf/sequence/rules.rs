//! Sequential rules: scores items by how often they were chosen soon after those of a history.

use serde::{Deserialize, Serialize};

use super::{decayed, sequences};
use crate::{
    Error, Result,
    cf::{Matrix, Recommender, Scored, kinds::ModelKind, rank, split::Interaction},
};

/// Options of [`SequentialRules`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialRulesOptions {
    /// Number of earlier items of a sequence that an item is related to.
    pub window: usize,
    /// Weight of a rule from the later to the earlier item relative to the other direction, 0 to 1.
    pub backward: f32,
    /// Weight of an item of a history relative to the next one, above 0 and at most 1.
    pub decay: f32,
    /// Number of rules kept of each item, those with the highest scores; up to twice as many are
    /// counted in between.
    pub rules: usize,
}

impl Default for SequentialRulesOptions {
    fn default() -> Self {
        Self {
            window: 10,
            backward: 0.5,
            decay: 0.8,
            rules: 500,
        }
    }
}

/// Sequential rules (Ludewig and Jannach 2018), with a window and in both directions.
///
/// An item that is chosen `d` places after another one adds `1 / d` to the rule between them, and
/// `backward / d` to the rule in the other direction. The score of item `j` is the sum over the
/// items `i` of the history, each with a weight that decays with its age, of
/// `rule(i, j) / sqrt(out(i) * (events(j) + 1))`: `out(i)` is the sum of the rules from `i`.
///
/// A sum of counts: [`SequentialRules::add`] counts an event as it arrives, with the same result as
/// counting all sequences again, as long as no item has more rules than are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequentialRules {
    options: SequentialRulesOptions,
    /// Rules from each item: the other items, ascending, with their counts.
    rules: Vec<Vec<(u32, f32)>>,
    /// Sum of the counts of the rules from each item, those that were dropped included.
    out: Vec<f32>,
    /// Number of events with each item.
    events: Vec<f32>,
}

impl SequentialRules {
    /// Creates a model of `items` items without rules.
    ///
    /// # Errors
    /// Options out of range.
    pub fn new(items: usize, options: SequentialRulesOptions) -> Result<Self> {
        let share = |value: f32| (0.0..=1.0).contains(&value);
        let checks = [
            ("/window", options.window > 0, "must be at least 1"),
            ("/rules", options.rules > 0, "must be at least 1"),
            ("/backward", share(options.backward), "must be 0 to 1"),
            (
                "/decay",
                share(options.decay) && options.decay > 0.0,
                "must be above 0 and at most 1",
            ),
        ];
        if let Some((pointer, _, detail)) = checks.iter().find(|c| !c.1) {
            return Err(Error::invalid(*pointer, *detail));
        }
        Ok(Self {
            options,
            rules: vec![Vec::new(); items],
            out: vec![0.0; items],
            events: vec![0.0; items],
        })
    }

    /// Returns the number of earlier items that an item is related to.
    pub fn window(&self) -> usize {
        self.options.window
    }

    /// Extends the model to `items` items, if there are fewer.
    pub fn grow(&mut self, items: usize) {
        if items > self.rules.len() {
            self.rules.resize(items, Vec::new());
            self.out.resize(items, 0.0);
            self.events.resize(items, 0.0);
        }
    }

    /// Returns the approximate bytes of memory.
    pub fn memory(&self) -> usize {
        let rules: usize = self.rules.iter().map(|rules| rules.capacity() * 8).sum();
        rules + self.rules.len() * 32
    }

    /// Counts a sequence of items, the oldest first.
    ///
    /// # Errors
    /// An unknown item.
    pub fn push(&mut self, sequence: &[u32]) -> Result<()> {
        for (place, item) in sequence.iter().enumerate() {
            self.add(&sequence[..place], *item)?;
        }
        Ok(())
    }

    /// Counts an item that was chosen after the items `before`, the oldest first.
    ///
    /// # Errors
    /// An unknown item.
    pub fn add(&mut self, before: &[u32], item: u32) -> Result<()> {
        let items = self.rules.len();
        if let Some(unknown) = before.iter().chain([&item]).find(|i| **i as usize >= items) {
            let detail = format!("expected a number below {items}, got {unknown}");
            return Err(Error::invalid("/item", detail));
        }
        self.events[item as usize] += 1.0;
        for (earlier, place) in before.iter().rev().take(self.options.window).zip(1_u16..) {
            if *earlier != item {
                let count = 1.0 / f32::from(place);
                self.count(*earlier, item, count);
                self.count(item, *earlier, self.options.backward * count);
            }
        }
        Ok(())
    }

    fn count(&mut self, from: u32, to: u32, count: f32) {
        if count == 0.0 {
            return;
        }
        self.out[from as usize] += count;
        let rules = &mut self.rules[from as usize];
        match rules.binary_search_by_key(&to, |(item, _)| *item) {
            Ok(at) => rules[at].1 += count,
            Err(at) => rules.insert(at, (to, count)),
        }
        if rules.len() >= self.options.rules.saturating_mul(2) {
            self.drop_weakest(from as usize);
        }
    }

    /// Keeps the rules of an item with the highest scores.
    fn drop_weakest(&mut self, from: usize) {
        let events = &self.events;
        let score = |(to, count): &(u32, f32)| count / (events[*to as usize] + 1.0).sqrt();
        let rules = &mut self.rules[from];
        rules.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.0.cmp(&b.0)));
        rules.truncate(self.options.rules);
        rules.sort_unstable_by_key(|(to, _)| *to);
    }

    /// Calls `f` with each item that a rule of the history leads to, and a term of its score; the
    /// score of an item is the sum of its terms.
    pub fn for_each_term(&self, history: &[(u32, f32)], mut f: impl FnMut(u32, f32)) {
        for (from, weight) in decayed(history, self.rules.len(), self.options.decay) {
            for (to, count) in &self.rules[from] {
                f(*to, weight * self.normalized(from, *to, *count));
            }
        }
    }

    fn normalized(&self, from: usize, to: u32, count: f32) -> f32 {
        count / (self.out[from] * (self.events[to as usize] + 1.0)).sqrt()
    }

    /// Returns the items of the history with a rule to `item`, the strongest first.
    pub fn reasons(&self, history: &[(u32, f32)], item: u32) -> Vec<Scored> {
        let history = decayed(history, self.rules.len(), self.options.decay);
        let mut reasons: Vec<Scored> = history
            .filter_map(|(from, weight)| {
                let rules = &self.rules[from];
                let at = rules.binary_search_by_key(&item, |(to, _)| *to).ok()?;
                Some(Scored {
                    item: from as u32,
                    score: weight * self.normalized(from, item, rules[at].1),
                })
            })
            .collect();
        reasons.sort_by(rank::order);
        reasons
    }
}

impl ModelKind for SequentialRules {
    type Options = SequentialRulesOptions;

    const NAME: &'static str = "sequential-rules";
    const USES_TIMES: bool = true;

    fn fit_matrix(interactions: &Matrix, options: &SequentialRulesOptions) -> Result<Self> {
        let mut model = Self::new(interactions.columns(), *options)?;
        for row in interactions.iter() {
            model.push(row.indices)?;
        }
        Ok(model)
    }

    /// All interactions of a user are one sequence.
    fn fit_interactions(
        interactions: &[Interaction],
        _users: usize,
        items: usize,
        options: &SequentialRulesOptions,
    ) -> Result<Self> {
        let mut model = Self::new(items, *options)?;
        for (_, sequence) in sequences(interactions) {
            model.push(&sequence)?;
        }
        Ok(model)
    }

    fn is_consistent(&self) -> bool {
        let items = self.rules.len();
        let is_count = |count: &f32| *count >= 0.0 && count.is_finite();
        let is_rule = |(to, count): &(u32, f32)| (*to as usize) < items && is_count(count);
        let ascend = |rules: &[(u32, f32)]| rules.windows(2).all(|w| w[0].0 < w[1].0);
        let has_sum = |(rules, out): (&Vec<_>, &f32)| rules.is_empty() || *out > 0.0;
        Self::new(0, self.options).is_ok()
            && self.out.len() == items
            && self.events.len() == items
            && self.out.iter().chain(&self.events).all(is_count)
            && self.rules.iter().all(|rules| ascend(rules))
            && self.rules.iter().flatten().all(is_rule)
            && self.rules.iter().zip(&self.out).all(has_sum)
    }
}

impl Recommender for SequentialRules {
    fn items(&self) -> usize {
        self.rules.len()
    }

    fn scores(&self, history: &[(u32, f32)], out: &mut Vec<f32>) {
        out.clear();
        out.resize(self.rules.len(), 0.0);
        self.for_each_term(history, |item, term| out[item as usize] += term);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn model(items: usize, sequences: &[Vec<u32>]) -> SequentialRules {
        let mut model = SequentialRules::new(items, Default::default()).expect("valid");
        for sequence in sequences {
            model.push(sequence).expect("known items");
        }
        model
    }

    fn scores(model: &SequentialRules, history: &[(u32, f32)]) -> Vec<f32> {
        let mut scores = Vec::new();
        model.scores(history, &mut scores);
        scores
    }

    #[test]
    fn scores_are_those_worked_out_by_hand() {
        // Rules from 0: 1 with 1 + 1, 2 with 1/2. From 1: 2 with 1, 0 with 1/2 + 1/2.
        let model = model(4, &[vec![0, 1, 2], vec![0, 1]]);
        let from_zero = scores(&model, &[(0, 1.0)]);
        let expected = [
            0.0,
            2.0 / (2.5_f32 * 3.0).sqrt(),
            0.5 / (2.5_f32 * 2.0).sqrt(),
            0.0,
        ];
        for (score, expected) in from_zero.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-6, "{from_zero:?}");
        }
        // The last item counts fully, the one before 0.8 times.
        let both = scores(&model, &[(0, 1.0), (1, 1.0)]);
        let expected = 0.8 * expected[2] + 1.0 / (2.0_f32 * 2.0).sqrt();
        assert!((both[2] - expected).abs() < 1e-6, "{both:?}");
        let reasons = model.reasons(&[(0, 1.0), (1, 1.0), (3, 1.0)], 2);
        let items: Vec<_> = reasons.iter().map(|r| r.item).collect();
        assert_eq!(items, [1, 0], "the strongest first, without 3");
    }

    #[test]
    fn disliked_and_unknown_items_do_not_count() {
        let model = model(3, &[vec![0, 1]]);
        assert_eq!(scores(&model, &[(0, -1.0), (9, 1.0)]), [0.0; 3]);
        assert!(model.clone().add(&[7], 0).is_err());
        assert!(model.clone().add(&[0], 3).is_err());
    }

    #[test]
    fn the_strongest_rules_are_kept() {
        let options = SequentialRulesOptions {
            rules: 2,
            backward: 0.0,
            ..Default::default()
        };
        let mut model = SequentialRules::new(9, options).expect("valid");
        for to in [1, 1, 2, 2, 3, 4] {
            model.push(&[0, to]).expect("known items");
        }
        let kept: Vec<_> = model.rules[0].iter().map(|(to, _)| *to).collect();
        assert_eq!(kept, [1, 2]);
        assert_eq!(model.out[0], 6.0);
    }

    #[test]
    fn bad_options_are_rejected() {
        for bad in ["window=0", "rules=0", "backward=1.5", "decay=0", "decay=2"] {
            let text = format!("sequential-rules:{bad}");
            let settings: crate::cf::ModelSettings = text.parse().expect("an option");
            let error = settings.fit(&[], 1, 1).expect_err(bad).to_string();
            let name = bad.split('=').next().unwrap_or_default();
            assert!(error.contains(name), "{error}");
        }
    }

    proptest! {
        #[test]
        fn counting_events_as_they_arrive_equals_a_full_count(
            events in prop::collection::vec((0_usize..4, 0_u32..6), 0..60),
        ) {
            // A count over all pairs of places, independent of the order of arrival.
            let mut sequences = vec![Vec::new(); 4];
            let mut live = SequentialRules::new(6, Default::default()).expect("valid");
            for (user, item) in &events {
                let sequence: &mut Vec<u32> = &mut sequences[*user];
                live.add(sequence, *item).expect("known items");
                sequence.push(*item);
            }
            let mut expected: BTreeMap<(u32, u32), f32> = BTreeMap::new();
            for sequence in &sequences {
                for later in 0..sequence.len() {
                    for earlier in later.saturating_sub(10)..later {
                        let (from, to) = (sequence[earlier], sequence[later]);
                        if from != to {
                            let count = 1.0 / (later - earlier) as f32;
                            *expected.entry((from, to)).or_default() += count;
                            *expected.entry((to, from)).or_default() += 0.5 * count;
                        }
                    }
                }
            }
            let mut counted = BTreeMap::new();
            for (from, rules) in (0..).zip(&live.rules) {
                counted.extend(rules.iter().map(|(to, count)| ((from, *to), *count)));
            }
            prop_assert_eq!(counted.len(), expected.len());
            for (pair, count) in expected {
                prop_assert!((counted[&pair] - count).abs() < 1e-4);
            }
            let refit = model(6, &sequences);
            for (a, b) in live.out.iter().zip(&refit.out) {
                prop_assert!((a - b).abs() < 1e-3);
            }
            prop_assert_eq!(live.events, refit.events);
        }
    }
}
