//! The rules that act on a question, in the numbers of the items.

use std::sync::Arc;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    FilterSpec, Reason, Rule, RulePath, RuleTried, RuleUse, RulesTestRequest, RulesTestResponse,
    Selection,
};

use super::{Collection, State, rfc3339_micros};
use crate::{
    Result,
    index::Allowed,
    payload::categories,
    rules::{Asked, Pinned, Stage},
};

/// What rules are to know of a question.
pub(super) struct About<'a> {
    /// Whether they are wanted.
    pub is_on: bool,
    pub path: RulePath,
    pub text: Option<&'a str>,
    /// What it wants of items.
    pub filters: [Option<&'a FilterSpec>; 2],
    /// What else it says of categories.
    pub categories: &'a [String],
    /// The item that it starts from.
    pub item: Option<&'a str>,
}

/// What the rules that act do.
#[derive(Default)]
pub(super) struct Acting {
    pub stage: Stage,
    /// What is not to be found.
    hidden: RoaringBitmap,
    /// What alone may be; None for all.
    within: Option<RoaringBitmap>,
    uses: Vec<RuleUse>,
}

impl Collection {
    /// What rules do with a question; `among` is what its own filter lets through.
    pub(super) fn acting(
        &self,
        state: &State,
        about: &About<'_>,
        among: &RoaringBitmap,
    ) -> Result<Acting> {
        let mut acting = Acting::default();
        let settings = self.settings.now();
        if !about.is_on || settings.rules.is_empty() {
            return Ok(acting);
        }
        let categories = match settings.rules.asks_for_categories() {
            true => self.categories(state, about)?,
            false => Vec::new(),
        };
        let asked = Asked {
            path: about.path,
            text: about.text,
            categories: &categories,
            at: self.clock.now(),
        };
        for rule in settings.rules.acting(&asked) {
            acting.take(state, rule, among)?;
        }
        let own = about.item.and_then(|id| state.numbers.get(id));
        acting.stage.pins.retain(|pin| Some(&pin.number) != own);
        acting.stage.settle();
        Ok(acting)
    }

    /// Whether there may be something to act.
    pub(super) fn has_rules(&self) -> bool {
        !self.settings.now().rules.is_empty()
    }

    /// Tries all rules on a question.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] where `at` is no time.
    pub fn try_rules(&self, request: &RulesTestRequest) -> Result<RulesTestResponse> {
        let at = request.at.as_deref();
        let at = at.map(|time| rfc3339_micros("/at", time)).transpose()?;
        let settings = self.settings.now();
        let tried = settings.rules.tried(&Asked {
            path: request.path,
            text: request.text.as_deref(),
            categories: &request.categories,
            at: at.unwrap_or_else(|| self.clock.now()),
        });
        let rules = tried.into_iter().map(|(rule, hindrance)| RuleTried {
            id: rule.id.clone(),
            hindrance,
        });
        Ok(RulesTestResponse {
            rules: rules.collect(),
        })
    }

    fn categories(&self, state: &State, about: &About<'_>) -> Result<Vec<String>> {
        let mut all = about.categories.to_vec();
        for filter in about.filters.into_iter().flatten() {
            all.extend(categories(filter).map_err(|e| e.under("/filter"))?);
        }
        if let Some(id) = about.item.filter(|id| state.numbers.contains_key(*id)) {
            all.extend(self.load(state, id, false)?.category);
        }
        Ok(all)
    }
}

impl Acting {
    fn take(&mut self, state: &State, rule: &Rule, among: &RoaringBitmap) -> Result<()> {
        let (at, then) = (self.uses.len(), &rule.then);
        let pins = then.pin.iter().filter_map(|pin| {
            Some(Pinned {
                number: *state.numbers.get(&pin.id)?,
                position: pin.position,
                rule: at,
            })
        });
        self.stage.pins.extend(pins);
        for boost in &then.boost {
            let items = state.selected(&boost.items)?;
            self.stage.boosts.push((items, boost.factor, at));
        }
        if let Some(items) = &then.bury {
            self.stage.buried.push((state.selected(items)?, at));
        }
        let mut out = RoaringBitmap::new();
        if let Some(items) = &then.hide {
            out = among & state.selected(items)?.numbers();
            self.hidden |= &out;
        }
        if let Some(filter) = &then.filter {
            let matching = state.allowed(Some(filter))?;
            out |= among - matching.numbers();
            self.within = Some(match self.within.take() {
                Some(within) => within & matching.numbers(),
                None => matching.numbers().clone(),
            });
        }
        self.uses.push(RuleUse {
            id: rule.id.clone(),
            hidden: out.len(),
            ..RuleUse::default()
        });
        Ok(())
    }

    /// What is kept out by name.
    pub fn hidden(&self) -> &RoaringBitmap {
        &self.hidden
    }

    /// What of a scope is left; None for all.
    pub fn scope(&self, scope: Option<RoaringBitmap>) -> Option<RoaringBitmap> {
        match (scope, &self.within) {
            (Some(scope), Some(within)) => Some(scope & within),
            (scope, within) => scope.or_else(|| within.clone()),
        }
    }

    /// What of the allowed items is left.
    pub fn restricted(&self, allowed: Arc<Allowed>) -> Arc<Allowed> {
        if self.within.is_none() && self.hidden.is_disjoint(allowed.numbers()) {
            return allowed;
        }
        let mut numbers = allowed.numbers() - &self.hidden;
        if let Some(within) = &self.within {
            numbers &= within;
        }
        Arc::new(Allowed::from(numbers))
    }

    /// Leaves the pins that may be shown.
    pub fn keep_pins(&mut self, allowed: &RoaringBitmap) {
        self.stage.pins.retain(|pin| allowed.contains(pin.number));
    }

    /// What the rules did; on a page of these items, where it is about pages.
    pub fn told<'a>(&self, state: &State, page: impl Iterator<Item = &'a str>) -> Vec<RuleUse> {
        let mut uses = self.uses.clone();
        if self.stage.is_empty() {
            return uses;
        }
        for id in page {
            let Some(number) = state.numbers.get(id).copied() else {
                continue;
            };
            if let Some(pin) = self.stage.pins.iter().find(|pin| pin.number == number) {
                uses[pin.rule].pinned.push(id.to_owned());
                continue;
            }
            for (at, rule) in uses.iter_mut().enumerate() {
                let boosts = self.stage.boosts.iter().filter(|(.., by)| *by == at);
                let is_boosted = boosts
                    .into_iter()
                    .any(|(items, ..)| items.numbers().contains(number));
                rule.boosted += u64::from(is_boosted);
                let buried = self.stage.buried.iter().filter(|(_, by)| *by == at);
                let is_buried = buried
                    .into_iter()
                    .any(|(items, _)| items.numbers().contains(number));
                rule.buried += u64::from(is_buried);
            }
        }
        uses
    }
}

impl State {
    /// Items of a selection; hidden ones do not matter.
    fn selected(&self, items: &Selection) -> Result<Arc<Allowed>> {
        match items {
            Selection::Matching(filter) => self.allowed(Some(filter)),
            Selection::Ids(ids) => {
                let numbers = ids.iter().filter_map(|id| self.numbers.get(id));
                let numbers: RoaringBitmap = numbers.copied().collect();
                Ok(Arc::new(Allowed::from(numbers)))
            }
        }
    }
}

/// Why a pinned item is there.
pub(super) fn pinned() -> Reason {
    Reason {
        code: "pinned".to_owned(),
        items: Vec::new(),
        text: "Chosen by the shop".to_owned(),
    }
}
