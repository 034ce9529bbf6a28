//! Merchandising: the rules that apply to a request, resolved to internal ids.

use std::sync::Arc;

use roaring::RoaringBitmap;
use vitrine_schemas::{
    FilterSpec, Hit, Reason, Rule, RulePath, RuleTestResult, RuleUse, RulesTestRequest,
    RulesTestResponse, Selection,
};

use crate::{
    Result,
    clock::rfc3339_micros,
    collection::{Collection, State},
    index::CandidateFilter,
    payload::categories,
    rules::{Pinned, RuleEffects, RuleQuery},
};

/// Properties of a request that the conditions of rules refer to.
pub(in crate::collection) struct RuleContext<'a> {
    /// False if the request turns rules off.
    pub is_on: bool,
    pub path: RulePath,
    pub text: Option<&'a str>,
    /// Filters of the request; the categories that they require count as the request's.
    pub filters: [Option<&'a FilterSpec>; 2],
    /// Other categories of the request.
    pub categories: &'a [String],
    /// Id of the item that the request starts from.
    pub item: Option<&'a str>,
}

/// Effects of the rules that apply to a request.
#[derive(Default)]
pub(in crate::collection) struct Merchandising {
    /// Boosts, burials and pins.
    pub stage: RuleEffects,
    /// Items that are hidden.
    hidden: RoaringBitmap,
    /// The only items that may be hits; None for all.
    scope: Option<RoaringBitmap>,
    usage: Vec<RuleUse>,
}

impl Collection {
    /// Returns the effects of the rules on a request; `matching` are the items that pass its
    /// filter.
    pub(in crate::collection) fn merchandising(
        &self,
        state: &State,
        context: &RuleContext<'_>,
        matching: &RoaringBitmap,
    ) -> Result<Merchandising> {
        let mut merchandising = Merchandising::default();
        let settings = self.settings.now();
        if !context.is_on || settings.rules.is_empty() {
            return Ok(merchandising);
        }
        let categories = if settings.rules.uses_categories() {
            self.categories(state, context)?
        } else {
            Vec::new()
        };
        let query = RuleQuery {
            path: context.path,
            text: context.text,
            categories: &categories,
            at: self.clock.now(),
        };
        for rule in settings.rules.matching(&query) {
            merchandising.add_rule(state, rule, matching)?;
        }
        let query_item = context.item.and_then(|id| state.internal_ids.get(id));
        let pins = &mut merchandising.stage.pins;
        pins.retain(|pin| Some(&pin.internal_id) != query_item);
        merchandising.stage.finish_pins();
        Ok(merchandising)
    }

    /// Returns true if the collection has rules.
    pub(in crate::collection) fn has_rules(&self) -> bool {
        !self.settings.now().rules.is_empty()
    }

    /// Returns, for each rule, whether it applies to a request and why not.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`]: `at` is not an RFC 3339 time.
    pub fn test_rules(&self, request: &RulesTestRequest) -> Result<RulesTestResponse> {
        let at = request.at.as_deref();
        let at = at.map(|time| rfc3339_micros("/at", time)).transpose()?;
        let settings = self.settings.now();
        let tried = settings.rules.explain(&RuleQuery {
            path: request.path,
            text: request.text.as_deref(),
            categories: &request.categories,
            at: at.unwrap_or_else(|| self.clock.now()),
        });
        let rules = tried
            .into_iter()
            .map(|(rule, inactive_reason)| RuleTestResult {
                id: rule.id.clone(),
                inactive_reason,
            });
        Ok(RulesTestResponse {
            rules: rules.collect(),
        })
    }

    /// Returns the categories of a request: those that it names and the one of its item.
    fn categories(&self, state: &State, context: &RuleContext<'_>) -> Result<Vec<String>> {
        let mut all = context.categories.to_vec();
        for filter in context.filters.into_iter().flatten() {
            all.extend(categories(filter).map_err(|e| e.under("/filter"))?);
        }
        if let Some(id) = context
            .item
            .filter(|id| state.internal_ids.contains_key(*id))
        {
            all.extend(self.load(state, id, false)?.category);
        }
        Ok(all)
    }
}

impl Merchandising {
    fn add_rule(&mut self, state: &State, rule: &Rule, matching: &RoaringBitmap) -> Result<()> {
        let (index, then) = (self.usage.len(), &rule.then);
        let pins = then.pin.iter().filter_map(|pin| {
            Some(Pinned {
                internal_id: *state.internal_ids.get(&pin.id)?,
                position: pin.position,
                rule: index,
            })
        });
        self.stage.pins.extend(pins);
        for boost in &then.boost {
            let items = state.selected(&boost.items)?;
            self.stage.boosts.push((items, boost.factor, index));
        }
        if let Some(items) = &then.bury {
            self.stage.buried.push((state.selected(items)?, index));
        }
        let mut out = RoaringBitmap::new();
        if let Some(items) = &then.hide {
            out = matching & state.selected(items)?.internal_ids();
            self.hidden |= &out;
        }
        if let Some(filter) = &then.filter {
            let kept = state.visible_matches(Some(filter))?;
            out |= matching - kept.internal_ids();
            self.scope = Some(match self.scope.take() {
                Some(scope) => scope & kept.internal_ids(),
                None => kept.internal_ids().clone(),
            });
        }
        self.usage.push(RuleUse {
            id: rule.id.clone(),
            hidden: out.len(),
            ..RuleUse::default()
        });
        Ok(())
    }

    /// Returns the internal ids of the hidden items.
    pub fn hidden(&self) -> &RoaringBitmap {
        &self.hidden
    }

    /// Returns the items of a scope that the rules' filters let through; None stands for all items.
    pub fn intersect_scope(&self, scope: Option<RoaringBitmap>) -> Option<RoaringBitmap> {
        match (scope, &self.scope) {
            (Some(scope), Some(rules)) => Some(scope & rules),
            (scope, rules) => scope.or_else(|| rules.clone()),
        }
    }

    /// Returns the items of a candidate filter that the rules neither hide nor filter out.
    pub fn apply_scope(&self, matching: Arc<CandidateFilter>) -> Arc<CandidateFilter> {
        if self.scope.is_none() && self.hidden.is_disjoint(matching.internal_ids()) {
            return matching;
        }
        let mut items = matching.internal_ids() - &self.hidden;
        if let Some(scope) = &self.scope {
            items &= scope;
        }
        Arc::new(CandidateFilter::from(items))
    }

    /// Adds a boost of items that no rule reports.
    pub fn prefer(&mut self, items: Arc<CandidateFilter>, factor: f32) {
        self.stage.boosts.push((items, factor, usize::MAX));
    }

    /// Removes the boosts, which have no effect on sorted hits; the rules report it.
    pub fn ignore_boosts(&mut self) {
        for (.., rule) in self.stage.boosts.drain(..) {
            if let Some(usage) = self.usage.get_mut(rule) {
                usage.boosts_ignored = true;
            }
        }
    }

    /// Removes the pins of items that are not eligible.
    pub fn retain_pins(&mut self, eligible: &RoaringBitmap) {
        self.stage
            .pins
            .retain(|pin| eligible.contains(pin.internal_id));
    }

    /// Returns the effects of each rule; boosts, burials and pins are counted on the page of
    /// `hits`.
    pub fn rule_usage(&self, state: &State, hits: &[Hit]) -> Vec<RuleUse> {
        let mut usage = self.usage.clone();
        if self.stage.is_empty() {
            return usage;
        }
        for id in hits.iter().map(|hit| &hit.id) {
            let Some(internal_id) = state.internal_ids.get(id).copied() else {
                continue;
            };
            if let Some(pin) = self
                .stage
                .pins
                .iter()
                .find(|pin| pin.internal_id == internal_id)
            {
                usage[pin.rule].pinned.push(id.clone());
                continue;
            }
            for (index, rule) in usage.iter_mut().enumerate() {
                let boosts = self.stage.boosts.iter().filter(|(.., by)| *by == index);
                let is_boosted = boosts
                    .into_iter()
                    .any(|(items, ..)| items.internal_ids().contains(internal_id));
                rule.boosted += u64::from(is_boosted);
                let buried = self.stage.buried.iter().filter(|(_, by)| *by == index);
                let is_buried = buried
                    .into_iter()
                    .any(|(items, _)| items.internal_ids().contains(internal_id));
                rule.buried += u64::from(is_buried);
            }
        }
        usage
    }
}

impl State {
    /// Returns the items of a selection, hidden ones possibly included.
    fn selected(&self, items: &Selection) -> Result<Arc<CandidateFilter>> {
        match items {
            Selection::Matching(filter) => self.visible_matches(Some(filter)),
            Selection::Ids(ids) => {
                let items = ids.iter().filter_map(|id| self.internal_ids.get(id));
                let items: RoaringBitmap = items.copied().collect();
                Ok(Arc::new(CandidateFilter::from(items)))
            }
        }
    }
}

/// Returns the reason of a pinned item.
pub(in crate::collection) fn pinned_reason() -> Reason {
    Reason {
        code: "pinned".to_owned(),
        items: Vec::new(),
        text: "Chosen by the shop".to_owned(),
    }
}
