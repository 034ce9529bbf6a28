//! Items bought by the same user within a day.

use vitrine_schemas::{
    BoughtTogetherHit, BoughtTogetherParams, BoughtTogetherResponse, FilterSpec, Item, Reason,
    RulePath,
};

use crate::{
    Error, Result,
    cf::ItemNeighbor,
    collection::{Collection, ranking::merchandising::RuleContext, state::read::check_limit},
};

impl Collection {
    /// Returns the items that were bought by the same users on the same day, up to the last
    /// purchase.
    ///
    /// # Errors
    /// The limit or the filter is invalid, the item does not exist, or the collection is private.
    ///
    /// # Examples
    ///
    /// The shop has red shoes (`a`, 40 EUR), blue shoes (`b`, 60 EUR) and a red hat (`c`, 20 EUR).
    ///
    /// ```
    /// use serde_json::json;
    /// use vitrine::{Training, schemas::BoughtTogetherParams};
    ///
    /// # mod support { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc_shop.rs")); }
    /// # let (_folder, database, shop) = support::shop()?;
    /// let basket = json!([
    ///     {"kind": "purchase", "collection": "shop", "user": "u1", "items": ["a", "c"]}
    /// ]);
    /// database.append_events(&serde_json::from_value::<Vec<_>>(basket)?)?;
    /// shop.train(&Training::default())?;
    ///
    /// let params = BoughtTogetherParams {
    ///     limit: 5,
    ///     filter: None,
    ///     exclude_out_of_stock: true,
    /// };
    /// let response = shop.bought_together("a", &params)?;
    /// assert_eq!(response.hits[0].id, "c");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bought_together(
        &self,
        id: &str,
        params: &BoughtTogetherParams,
    ) -> Result<BoughtTogetherResponse> {
        check_limit(params.limit)?;
        self.behavior.refuse_pairs_if_private()?;
        let state = self.state.read();
        if !state.internal_ids.contains_key(id) {
            return Err(Error::ItemNotFound(id.to_owned()));
        }
        let filter = params.filter.clone().map(FilterSpec::Text);
        let context = RuleContext {
            is_on: true,
            path: RulePath::Recommend,
            text: None,
            filters: [filter.as_ref(), None],
            categories: &[],
            item: Some(id),
        };
        let matching = state.visible_matches(filter.as_ref())?;
        let merchandising = self.merchandising(&state, &context, matching.internal_ids())?;
        let eligible = merchandising.apply_scope(matching);
        let mut excluded = state.expired()?;
        if params.exclude_out_of_stock {
            excluded |= state.out_of_stock()?;
        }
        let is_eligible = |id: u32| eligible.internal_ids().contains(id) && !excluded.contains(id);
        let log = self.behavior.log.read();
        let (Some(model), Some(log_id)) = (self.behavior.model(), log.number(id)) else {
            return Ok(BoughtTogetherResponse { hits: Vec::new() });
        };
        let neighbors = model.live().bought_with(log_id, model.info().baskets);
        let min_users = state.config.anonymity.min_users;
        let ids = state.item_ids(&log);
        let neighbors = neighbors.iter().filter(|neighbor| {
            let internal_id = ids.internal_id(neighbor.item);
            neighbor.users >= min_users && internal_id.is_some_and(is_eligible)
        });
        let neighbors: Vec<_> = neighbors.take(params.limit).collect();
        let mut ids = vec![id];
        ids.extend(neighbors.iter().map(|neighbor| log.name(neighbor.item)));
        let mut records = self.load_many(&state, &ids)?.into_iter();
        let title = records.next().flatten().and_then(|item| item.title);
        let title = title.unwrap_or_else(|| id.to_owned());
        let offers = state.offers(filter.as_ref())?;
        let hit = |(neighbor, item): (&&ItemNeighbor, Option<Item>)| {
            let (item, baskets) = (item?, u64::from(neighbor.users));
            Some(BoughtTogetherHit {
                id: item.id.clone(),
                score: neighbor.similarity,
                baskets,
                reason: Reason {
                    code: "bought_together".into(),
                    items: vec![id.to_owned()],
                    text: match baskets {
                        1 => format!("Bought together with {title}, once"),
                        _ => format!("Bought together with {title}, {baskets} times"),
                    },
                },
                offer: offers.of(&item),
                item,
            })
        };
        Ok(BoughtTogetherResponse {
            hits: neighbors.iter().zip(records).filter_map(hit).collect(),
        })
    }
}
