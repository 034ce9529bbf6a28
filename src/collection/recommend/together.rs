//! What was bought by the same person on the same day.

use vitrine_schemas::{
    BoughtTogetherHit, BoughtTogetherParams, BoughtTogetherResponse, FilterSpec, Item, Reason,
    RulePath,
};

use super::super::{Collection, acting::About, reader::check_limit};
use crate::{Error, Result, cf::ItemNeighbor};

impl Collection {
    /// What was bought by the same person on the same day, the last purchase included.
    pub fn bought_together(
        &self,
        id: &str,
        params: &BoughtTogetherParams,
    ) -> Result<BoughtTogetherResponse> {
        check_limit(params.limit)?;
        let state = self.state.read();
        if !state.numbers.contains_key(id) {
            return Err(Error::ItemNotFound(id.to_owned()));
        }
        let filter = params.filter.clone().map(FilterSpec::Text);
        let about = About {
            is_on: true,
            path: RulePath::Recommend,
            text: None,
            filters: [filter.as_ref(), None],
            categories: &[],
            item: Some(id),
        };
        let matching = state.allowed(filter.as_ref())?;
        let rules = self.acting(&state, &about, matching.numbers())?;
        let allowed = rules.restricted(matching);
        let expired = state.expired()?;
        let may = |n: u32| allowed.numbers().contains(n) && !expired.contains(n);
        let log = self.behaviour.log.read();
        let (Some(model), Some(number)) = (self.behaviour.model(), log.number(id)) else {
            return Ok(BoughtTogetherResponse { hits: Vec::new() });
        };
        let neighbors = model.live().baskets.neighbors(number);
        let live = neighbors.iter().filter(|neighbor| {
            let number = state.numbers.get(log.name(neighbor.item));
            number.is_some_and(|n| may(*n))
        });
        let found: Vec<_> = live.take(params.limit).collect();
        let mut ids = vec![id];
        ids.extend(found.iter().map(|neighbor| log.name(neighbor.item)));
        let mut records = self.load_many(&state, &ids)?.into_iter();
        let own = records.next().flatten().and_then(|item| item.title);
        let title = own.unwrap_or_else(|| id.to_owned());
        let hit = |(neighbor, item): (&&ItemNeighbor, Option<Item>)| {
            let (item, baskets) = (item?, u64::from(neighbor.users));
            Some(BoughtTogetherHit {
                id: item.id.clone(),
                score: neighbor.similarity,
                baskets,
                reason: Reason {
                    code: "bought_together".into(),
                    items: vec![id.to_owned()],
                    text: format!("Bought together with {title}, {baskets} times"),
                },
                item,
            })
        };
        Ok(BoughtTogetherResponse {
            hits: found.iter().zip(records).filter_map(hit).collect(),
        })
    }
}
