//! Records and reasons of the hits of a page.

use std::collections::HashMap;

use vitrine_schemas::{Hit, Item, Reason};

use crate::{
    Result,
    collection::{
        Collection,
        ranking::{
            RankingRequest, contributions::contributions, merchandising::pinned_reason, page::Page,
        },
    },
    query::blend::Ranked,
};

/// Titles of items by id; items without a title are missing.
pub(in crate::collection) type Titles = HashMap<String, String>;

/// Explains why hits are shown, in two steps so that all records of a page are loaded at once.
pub(in crate::collection) trait Explainer {
    /// A reason without the titles of the items that it names.
    type Draft;

    /// Returns the draft of a hit's reason.
    fn draft(&self, hit: &Ranked, id: &str) -> Self::Draft;

    /// Returns the ids of the items that a draft names.
    fn named_items<'d>(&'d self, draft: &'d Self::Draft) -> &'d [String];

    /// Returns the reason; ids stand in for titles that are missing.
    fn reason(&self, draft: Self::Draft, titles: &Titles) -> Reason;
}

impl Collection {
    /// Returns the hits of a page with records, contributions and reasons.
    pub(in crate::collection) fn explained_hits<E: Explainer>(
        &self,
        request: &RankingRequest<'_>,
        page: &Page,
        explainer: &E,
    ) -> Result<Vec<Hit>> {
        let state = request.state;
        let hits = page.hits.iter().zip(&page.groups);
        let live = hits.filter_map(|(hit, group)| {
            let id = state.ids.get(&hit.candidate.item)?.as_str();
            Some((hit, id, group, explainer.draft(hit, id)))
        });
        let live: Vec<_> = live.collect();
        let named = live
            .iter()
            .flat_map(|(.., draft)| explainer.named_items(draft));
        let mut ids: Vec<&str> = named.map(String::as_str).collect();
        ids.extend(live.iter().map(|(_, id, ..)| *id));
        ids.sort_unstable();
        ids.dedup();
        let records = self.load_many(state, &ids)?.into_iter().flatten();
        let mut records: HashMap<String, Item> = records.map(|r| (r.id.clone(), r)).collect();
        let titles = records.iter();
        let titles: Titles = titles
            .filter_map(|(id, item)| Some((id.clone(), item.title.clone()?)))
            .collect();
        let stage = &request.merchandising.stage;
        let ids: Vec<String> = live.iter().map(|(_, id, ..)| (*id).to_owned()).collect();
        let hits = live.into_iter().zip(ids);
        let hits = hits.filter_map(|((hit, _, group, draft), id)| {
            Some(Hit {
                item: records.remove(&id)?,
                id,
                score: hit.score,
                contributions: contributions(hit),
                reason: Some(if stage.is_pinned(hit.candidate.item) {
                    pinned_reason()
                } else {
                    explainer.reason(draft, &titles)
                }),
                ranking: None,
                highlights: Vec::new(),
                group: group.clone(),
                offer: None,
            })
        });
        Ok(hits.collect())
    }

    /// Returns the hits of a page with records and scores only.
    pub(in crate::collection) fn plain_hits(
        &self,
        request: &RankingRequest<'_>,
        page: &Page,
    ) -> Result<Vec<Hit>> {
        let hits = page.hits.iter().zip(&page.groups);
        let live = hits.filter_map(|(hit, group)| {
            let id = request.state.ids.get(&hit.candidate.item)?;
            Some(((hit, group), id.as_str()))
        });
        let (hits, ids): (Vec<_>, Vec<&str>) = live.unzip();
        let records = self.load_many(request.state, &ids)?;
        let hits = hits.into_iter().zip(records);
        let hits = hits.filter_map(|((hit, group), item)| {
            let item = item?;
            Some(Hit {
                id: item.id.clone(),
                score: hit.score,
                contributions: Vec::new(),
                reason: None,
                ranking: None,
                highlights: Vec::new(),
                group: group.clone(),
                offer: None,
                item,
            })
        });
        Ok(hits.collect())
    }
}
