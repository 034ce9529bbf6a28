//! Estimators of the reward per page of the target policy, and how far the log supports them.

use serde::Serialize;
use vitrine::experiments::Ratio;

use super::{
    log::{LoggedPage, PolicyLog, Shown},
    reward_model::{CrossFitted, RewardModel},
};

/// An estimate with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Reward per page.
    pub value: f64,
    /// Lower end of the interval; absent for fewer than two users.
    pub low: Option<f64>,
    /// Upper end of the interval.
    pub high: Option<f64>,
}

impl Estimate {
    /// Returns a multiple of a ratio.
    fn of(ratio: &Ratio, factor: f64) -> Self {
        let interval = ratio.interval();
        Self {
            value: factor * ratio.value(),
            low: interval.map(|(low, _)| factor * low),
            high: interval.map(|(_, high)| factor * high),
        }
    }
}

/// Overlap of the logged policy and the target policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Diagnostics {
    /// Number of items that were shown, on all pages.
    pub hits: usize,
    /// Number of hits with equal weights that would tell as much: the square of the sum of the
    /// weights, divided by the sum of their squares.
    pub effective_sample_size: f64,
    /// Largest weight of a hit.
    pub max_weight: f64,
    /// Share of the largest weight in the sum of all.
    pub max_share: f64,
    /// Sum of the weights per page, divided by the number of items on the target's page. It is
    /// about 1, unless the logged policy never shows some items of the target, or propensities are
    /// wrong.
    pub support: Estimate,
}

/// Sums of a numerator and a denominator over the pages of each user.
fn ratio(log: &PolicyLog, terms: impl Fn(&LoggedPage) -> (f64, f64)) -> Ratio {
    let mut users = vec![(0.0, 0.0); log.users];
    for page in &log.pages {
        let (numerator, denominator) = terms(page);
        let user = &mut users[page.user];
        *user = (user.0 + numerator, user.1 + denominator);
    }
    let mut ratio = Ratio::default();
    for (numerator, denominator) in users {
        ratio.add(numerator, denominator);
    }
    ratio
}

fn sum(page: &LoggedPage, term: impl Fn(&Shown) -> f64) -> f64 {
    page.shown.iter().map(term).sum()
}

/// Returns the reward per page of the logged policy.
pub(super) fn logged(log: &PolicyLog) -> Estimate {
    Estimate::of(&ratio(log, |page| (sum(page, |hit| hit.reward), 1.0)), 1.0)
}

/// Returns the estimate by inverse propensities.
pub(super) fn ips(log: &PolicyLog) -> Estimate {
    let weighted = |page: &LoggedPage| sum(page, |hit| hit.weight() * hit.reward);
    Estimate::of(&ratio(log, |page| (weighted(page), 1.0)), 1.0)
}

/// Returns the self-normalized estimate.
pub(super) fn snips(log: &PolicyLog) -> Estimate {
    let weighted = |page: &LoggedPage| sum(page, |hit| hit.weight() * hit.reward);
    let weights = |page: &LoggedPage| sum(page, Shown::weight);
    let per_item = ratio(log, |page| (weighted(page), weights(page)));
    let lengths: f64 = log.pages.iter().map(LoggedPage::target_len).sum();
    Estimate::of(&per_item, lengths / log.len().max(1) as f64)
}

/// Returns the doubly robust estimate; None if the whole page of the target policy is not known
/// everywhere.
pub(super) fn doubly_robust(log: &PolicyLog) -> Option<Estimate> {
    if log.pages.iter().any(|page| page.target.is_none()) {
        return None;
    }
    let models = CrossFitted::fit(&log.pages);
    let value = |page: &LoggedPage| {
        let model = models.for_user(page.user);
        predicted(page, model)
            + sum(page, |hit| {
                hit.weight() * (hit.reward - model.predict(hit.action))
            })
    };
    Some(Estimate::of(&ratio(log, |page| (value(page), 1.0)), 1.0))
}

/// Returns the reward of the target's page by the model.
fn predicted(page: &LoggedPage, model: &RewardModel) -> f64 {
    let target = page.target.iter().flatten();
    target
        .map(|(action, propensity)| propensity * model.predict(*action))
        .sum()
}

/// Returns the overlap of the policies.
pub(super) fn diagnostics(log: &PolicyLog) -> Diagnostics {
    let weights = || {
        log.pages
            .iter()
            .flat_map(|page| page.shown.iter().map(Shown::weight))
    };
    let (total, squares) = weights().fold((0.0, 0.0), |(sum, squares), weight| {
        (sum + weight, squares + weight * weight)
    });
    let max_weight = weights().fold(0.0, f64::max);
    let share = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
    let support = ratio(log, |page| (sum(page, Shown::weight), page.target_len()));
    Diagnostics {
        hits: weights().count(),
        effective_sample_size: share(total * total, squares),
        max_weight,
        max_share: share(max_weight, total),
        support: Estimate::of(&support, 1.0),
    }
}
