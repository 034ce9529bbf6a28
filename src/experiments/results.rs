//! Results of an experiment from the searches and what followed.

use std::collections::{BTreeMap, HashMap, HashSet};

use vitrine_schemas::{
    EventKind, ExperimentResults, ExperimentUse, FigureDifference, InterleavingResults,
    SearchOutcome, VariantDifferences, VariantResults,
};

use super::statistics::{LEVEL, Ratio, difference, sign_test, wilson};
use crate::search_log::{FigureSums, Typing, person, revenue};

/// Results of the searches of one experiment, in the order of time; `control` names the control
/// variant. Searches that the next keystroke replaced are left out.
///
/// # Examples
///
/// ```
/// use vitrine::experiments::experiment_results;
///
/// let results = experiment_results(Vec::new(), "mode", Some("a"));
/// assert!(results.variants.is_empty());
/// ```
pub fn experiment_results(
    searches: Vec<SearchOutcome>,
    id: &str,
    control: Option<&str>,
) -> ExperimentResults {
    let mut tally = ExperimentTally::new(id);
    let mut typing = Typing::default();
    for outcome in searches.iter().rev() {
        let micros = crate::clock::rfc3339_micros("/ts", &outcome.search.ts);
        if !typing.replaces(micros.unwrap_or_default(), outcome) {
            tally.add(outcome);
        }
    }
    tally.results(control)
}

/// Sums of the searches of an experiment.
pub(crate) struct ExperimentTally {
    id: String,
    variants: BTreeMap<String, VariantTally>,
    interleaved: u64,
    /// Clicked items by user and variant.
    clicks: HashMap<u64, [u64; 2]>,
}

#[derive(Default)]
struct VariantTally {
    figures: FigureSums,
    users: HashMap<u64, UserSums>,
}

/// Sums of the searches of a user.
#[derive(Clone, Copy, Default)]
struct UserSums {
    searches: f64,
    clicked: f64,
    purchased: f64,
    revenue: f64,
}

impl ExperimentTally {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            variants: BTreeMap::new(),
            interleaved: 0,
            clicks: HashMap::new(),
        }
    }

    /// Adds a search; one of another experiment, or of no user, is left out.
    pub fn add(&mut self, outcome: &SearchOutcome) {
        let experiment = outcome.search.experiment.as_ref();
        let experiment = experiment.filter(|experiment| experiment.id == self.id);
        let (Some(experiment), Some(user)) = (experiment, person(&outcome.search)) else {
            return;
        };
        match &experiment.variant {
            Some(variant) => {
                let variant = self.variants.entry(variant.clone()).or_default();
                variant.figures.add(outcome);
                variant.users.entry(user).or_default().add(outcome);
            }
            None => {
                self.interleaved += 1;
                let clicks = self.clicks.entry(user).or_default();
                for team in clicked_teams(outcome, experiment) {
                    clicks[usize::from(team)] += 1;
                }
            }
        }
    }

    /// Returns the results; the control is the first variant by name if it is not named.
    pub fn results(self, control: Option<&str>) -> ExperimentResults {
        let control = control.map(str::to_owned);
        let control = control.or_else(|| self.variants.keys().next().cloned());
        let mut variants: Vec<_> = self.variants.into_iter().collect();
        variants.sort_by_key(|(name, _)| Some(name) != control.as_ref());
        let level = LEVEL / variants.len().saturating_sub(1).max(1) as f64;
        let has_control = variants.first().map(|(name, _)| name) == control.as_ref();
        let ratios: Vec<_> = variants.iter().map(|(_, tally)| tally.ratios()).collect();
        let results = variants.into_iter().zip(&ratios).enumerate();
        let results = results.map(|(index, ((name, tally), own))| {
            let control = ratios.first().filter(|_| has_control && index > 0);
            VariantResults {
                name,
                figures: tally.figures.figures(),
                revenue_per_search: own[2].value(),
                differences: control.and_then(|control| differences(control, own, level)),
            }
        });
        ExperimentResults {
            id: self.id,
            variants: results.collect(),
            interleaving: (self.interleaved > 0)
                .then(|| preferences(self.interleaved, self.clicks.into_values())),
        }
    }
}

impl UserSums {
    fn add(&mut self, outcome: &SearchOutcome) {
        let has = |kind| outcome.events.iter().any(|event| event.kind == kind);
        self.searches += 1.0;
        self.clicked += f64::from(u8::from(has(EventKind::Click)));
        self.purchased += f64::from(u8::from(has(EventKind::Purchase)));
        self.revenue += revenue(outcome);
    }
}

impl VariantTally {
    /// Returns click-through, conversion and revenue per search.
    fn ratios(&self) -> [Ratio; 3] {
        let mut ratios: [Ratio; 3] = Default::default();
        for user in self.users.values() {
            let sums = [user.clicked, user.purchased, user.revenue];
            for (ratio, sum) in ratios.iter_mut().zip(sums) {
                ratio.add(sum, user.searches);
            }
        }
        ratios
    }
}

fn differences(control: &[Ratio; 3], own: &[Ratio; 3], level: f64) -> Option<VariantDifferences> {
    let compared =
        |n: usize| -> Option<FigureDifference> { difference(&control[n], &own[n], level) };
    Some(VariantDifferences {
        click_through: compared(0)?,
        conversion: compared(1)?,
        revenue_per_search: compared(2)?,
    })
}

/// Returns the variants that the clicked hits of a search come from; a hit counts once.
fn clicked_teams(outcome: &SearchOutcome, experiment: &ExperimentUse) -> Vec<u8> {
    let clicks = outcome.events.iter().filter(|e| e.kind == EventKind::Click);
    let items: HashSet<&str> = clicks.map(|event| event.item.as_str()).collect();
    let hits = outcome.search.shown.iter().zip(&experiment.teams);
    let clicked = hits.filter(|(id, team)| **team < 2 && items.contains(id.as_str()));
    clicked.map(|(_, team)| *team).collect()
}

fn preferences(searches: u64, users: impl Iterator<Item = [u64; 2]>) -> InterleavingResults {
    let (mut wins, mut ties) = ([0, 0], 0);
    for clicks in users {
        match clicks[0].cmp(&clicks[1]) {
            std::cmp::Ordering::Less => wins[1] += 1,
            std::cmp::Ordering::Equal => ties += 1,
            std::cmp::Ordering::Greater => wins[0] += 1,
        }
    }
    let [control_wins, variant_wins] = wins;
    let decided = control_wins + variant_wins;
    let (low, high) = wilson(variant_wins, decided);
    let p_value = sign_test(control_wins, variant_wins);
    InterleavingResults {
        searches,
        control_wins,
        variant_wins,
        ties,
        preference: variant_wins as f64 / decided.max(1) as f64,
        low,
        high,
        p_value,
        significant: p_value < LEVEL,
    }
}
