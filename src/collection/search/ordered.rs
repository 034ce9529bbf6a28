//! Searches whose hits are sorted: by the request's keys or, without a query, in the default order.
//!
//! A page continues after the position of the last hit of the page before it, so that any depth is
//! reached at the same cost. Pins keep their places; boosts have no effect. A diversified page is
//! selected by the ranking pipeline, with the first items of the order as candidates.

use std::time::Instant;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use vitrine_schemas::{DiversifySpec, Hit, SearchResponse};

use crate::{
    Error, Result,
    collection::{
        Collection,
        ranking::{
            CandidateSource, RankedPage,
            cursor::{Cursor, MAX_POOL_SIZE},
            merchandising::pinned_reason,
            order::{self, ItemOrder, KeysetPosition},
            page::Page,
            pool_size::PoolSize,
        },
        search::{
            candidates::SearchCandidates, context::SearchContext, highlights, pool::SearchPool,
        },
    },
    query::blend::Ranked,
    rules::{count_pins_on_page, interleave_pins},
};

/// Place of a page in an order.
#[derive(Default, Serialize, Deserialize)]
struct OrderCursor {
    /// Hash of the request.
    request: String,
    /// Number of hits on earlier pages. The client may send any: a larger type would overflow where
    /// positions are added.
    shown: u32,
    /// Ids of the pinned items on earlier pages.
    pinned: Vec<String>,
    /// True if the last hit that is not pinned was a buried one.
    is_buried: bool,
    /// Position of the last hit that is not pinned.
    after: Option<KeysetPosition>,
}

impl OrderCursor {
    fn decode(cursor: Option<&str>, key: &str) -> Result<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::default());
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let decoded = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let decoded = decoded.ok_or_else(|| {
            let detail = "invalid cursor; use `next_cursor` from the previous page";
            Error::invalid("/cursor", detail)
        })?;
        if decoded.request != hash(key) {
            let detail = "belongs to another request; only `limit` and `cursor` may change from \
                          page to page";
            return Err(Error::invalid("/cursor", detail));
        }
        Ok(decoded)
    }

    fn encode(&self) -> Option<String> {
        let json = serde_json::to_vec(self).ok()?;
        Some(URL_SAFE_NO_PAD.encode(json))
    }
}

fn hash(key: &str) -> String {
    let hash = blake3::hash(key.as_bytes()).to_hex();
    hash.as_str()[..16].to_owned()
}

/// A page in an order.
struct OrderedPage {
    page: Page,
    next_cursor: Option<String>,
}

impl Collection {
    /// Answers a search whose hits are sorted.
    pub(super) fn ordered_search(
        &self,
        context: &SearchContext<'_>,
        started: Instant,
    ) -> Result<SearchResponse> {
        let SearchContext { state, request, .. } = context;
        let has_query = !request.is_filter_only();
        let candidates = SearchCandidates { context, shown: 0 };
        let pool = candidates.gather(match order::uses_relevance(&request.sort) {
            true => MAX_POOL_SIZE,
            false => PoolSize::SEARCH.min,
        })?;
        let ranked = candidates.rank(&pool);
        let scores = ranked.iter().map(|hit| (hit.candidate.item, hit.score));
        let scores = has_query.then(|| scores.collect());
        let order = self.item_order(state, &request.sort, scores, context.rows.as_deref())?;
        let matches = context.matches(&pool);
        let hit = |item: u32| {
            let mut hit = Ranked::unscored(item);
            hit.score = match order.relevance(item) {
                Some(score) => score,
                None if has_query || !request.sort.is_empty() => 0.0,
                None => order.popularity(item).unwrap_or(0.0),
            };
            hit
        };
        let OrderedPage { page, next_cursor } = match &context.shopper.diversify {
            Some(spec) => self.diverse_ordered_page(context, &order, &matches, spec, &hit)?,
            None => ordered_page(context, &order, &matches, &hit)?,
        };
        let ranking = context.ranking(Cursor::start(0), request.limit);
        let mut hits = self.plain_hits(&ranking, &page)?;
        for hit in &mut hits {
            let internal_id = state.internal_ids.get(&hit.id);
            if internal_id.is_some_and(|id| context.merchandising.stage.is_pinned(*id)) {
                hit.reason = Some(pinned_reason());
            }
        }
        self.decorate(context, &pool, &mut hits)?;
        self.ordered_response(context, &pool, page, hits, next_cursor, started)
    }

    fn ordered_response(
        &self,
        context: &SearchContext<'_>,
        pool: &SearchPool,
        page: Page,
        hits: Vec<Hit>,
        next_cursor: Option<String>,
        started: Instant,
    ) -> Result<SearchResponse> {
        let (request, lexical) = (context.request, pool.lexical.as_ref());
        let sorted = if request.sort.is_empty() { "" } else { "+sort" };
        Ok(SearchResponse {
            next_cursor,
            total: Some(context.total(pool)),
            facets: context.facets(pool, &page.hits)?,
            corrections: lexical.map_or_else(Default::default, |l| {
                highlights::corrections_as_written(&l.corrections, &hits)
            }),
            synonyms: lexical.map_or_else(Default::default, |l| l.synonyms.clone()),
            plan: pool.plan() + sorted,
            explain: request.explain.then(|| context.explanation(pool)),
            fallbacks: context.fallbacks(),
            diversity: page.diversity,
            rules: context.merchandising.rule_usage(context.state, &hits),
            hits,
            request_id: None,
            experiment: None,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
            ..SearchResponse::default()
        })
    }

    fn diverse_ordered_page(
        &self,
        context: &SearchContext<'_>,
        order: &ItemOrder<'_>,
        matches: &RoaringBitmap,
        spec: &DiversifySpec,
        hit: &dyn Fn(u32) -> Ranked,
    ) -> Result<OrderedPage> {
        let request = context.request;
        if spec.mmr.is_some() {
            let detail = "cannot be combined with a sort; use `max_per` or `group_by`, or sort by \
                          nothing";
            return Err(Error::invalid("/diversify/mmr", detail));
        }
        let limit = request.offset + request.limit;
        let (cursor, key) = (request.cursor.as_deref(), request.cursor_key.as_str());
        let size = PoolSize::SEARCH.diversified().initial(limit);
        let cursor = Cursor::decode(cursor, key, size.min(MAX_POOL_SIZE))?;
        let ranking = context.ranking(cursor, limit);
        let source = OrderedCandidates { order, matches };
        let RankedPage {
            pool,
            pool_size,
            mut page,
            ..
        } = self.rank_page(&ranking, &source)?;
        let ids = page.hits.iter().map(|hit| hit.candidate.item);
        let ids: Vec<&str> = ids
            .filter_map(|id| context.state.ids.get(&id))
            .map(String::as_str)
            .collect();
        let more = |next: &Cursor| pool.len() as u64 > next.len() || pool.len() == pool_size;
        let next_cursor = match request.offset {
            0 => ranking.cursor_after(pool_size, &ids, key, more),
            _ => None,
        };
        page.skip(request.offset);
        let hits = page.hits.iter().map(|ranked| hit(ranked.candidate.item));
        page.hits = hits.collect();
        Ok(OrderedPage { page, next_cursor })
    }
}

/// Candidates in an explicit order.
struct OrderedCandidates<'a> {
    order: &'a ItemOrder<'a>,
    matches: &'a RoaringBitmap,
}

impl CandidateSource for OrderedCandidates<'_> {
    type Pool = Vec<u32>;

    fn gather(&self, size: usize) -> Result<Vec<u32>> {
        Ok(self.order.first(self.matches, None, size))
    }

    fn is_exhausted(&self, pool: &Vec<u32>) -> bool {
        pool.len() as u64 == self.matches.len()
    }

    /// Scores the items by their places, by which a diverse page is selected.
    fn rank(&self, pool: &Vec<u32>) -> Vec<Ranked> {
        let places = (0..pool.len()).rev();
        let ranked = pool.iter().zip(places).map(|(item, place)| {
            let mut ranked = Ranked::unscored(*item);
            ranked.score = place as f32;
            ranked
        });
        ranked.collect()
    }
}

/// Returns the page after the cursor, or after the offset.
fn ordered_page(
    context: &SearchContext<'_>,
    order: &ItemOrder<'_>,
    matches: &RoaringBitmap,
    hit: &dyn Fn(u32) -> Ranked,
) -> Result<OrderedPage> {
    let (request, state) = (context.request, context.state);
    let stage = &context.merchandising.stage;
    let cursor = OrderCursor::decode(request.cursor.as_deref(), &request.cursor_key)?;
    let name = |id: u32| state.ids.get(&id);
    let was_pinned = |id: u32| name(id).is_some_and(|id| cursor.pinned.contains(id));
    let all: Vec<_> = stage
        .pins
        .iter()
        .filter(|pin| !was_pinned(pin.internal_id))
        .collect();
    let positions: Vec<usize> = all.iter().map(|pin| pin.position).collect();
    // Pins within the offset are on pages that were skipped.
    let skipped_pins = count_pins_on_page(&positions, 0, request.offset);
    let (pins, positions) = (&all[skipped_pins..], &positions[skipped_pins..]);
    let shown = cursor.shown as usize + request.offset;
    let skipped = request.offset - skipped_pins;
    let count = request.limit - count_pins_on_page(positions, shown, request.limit);
    let pinned: RoaringBitmap = stage.pins.iter().map(|pin| pin.internal_id).collect();
    let mut first: Vec<(u32, bool)> = Vec::new();
    let is_buried = |item: &u32| stage.is_buried(*item);
    let buried: RoaringBitmap = match stage.buried.is_empty() {
        true => RoaringBitmap::new(),
        false => matches.iter().filter(is_buried).collect(),
    };
    // One more than the page has, to know if there is another page.
    let need = skipped + count + 1;
    let regular = matches - &pinned - &buried;
    let last = matches & (&buried - &pinned);
    for (items, is_buried) in [(regular, false), (last, true)] {
        if cursor.is_buried && !is_buried {
            continue;
        }
        let after = cursor
            .after
            .as_ref()
            .filter(|_| cursor.is_buried == is_buried);
        let next = order.first(&items, after, need - first.len());
        first.extend(next.into_iter().map(|item| (item, is_buried)));
    }
    let chosen: Vec<(u32, bool)> = first.into_iter().skip(skipped).collect();
    let has_more = chosen.len() > count;
    let chosen = &chosen[..count.min(chosen.len())];
    let at_pins = pins
        .iter()
        .map(|pin| (pin.position, pin.internal_id))
        .collect();
    let regular = chosen.iter().map(|(item, _)| *item);
    let page = interleave_pins(at_pins, regular, shown, request.limit);
    let left_pins = pins
        .iter()
        .filter(|pin| !page.contains(&pin.internal_id))
        .count();
    let next_cursor = (request.offset == 0 && (has_more || left_pins > 0)).then(|| {
        let last = chosen.last();
        let shown_pins = page.iter().filter(|item| pinned.contains(**item));
        let shown_pins = shown_pins.filter_map(|item| name(*item)).cloned();
        let next = OrderCursor {
            request: hash(&request.cursor_key),
            shown: u32::try_from(shown + page.len()).unwrap_or(u32::MAX),
            pinned: cursor.pinned.iter().cloned().chain(shown_pins).collect(),
            is_buried: last.map_or(cursor.is_buried, |(_, is_buried)| *is_buried),
            after: last
                .and_then(|(item, _)| order.position(*item))
                .or_else(|| cursor.after.clone()),
        };
        next.encode()
    });
    Ok(OrderedPage {
        page: Page {
            groups: vec![None; page.len()],
            hits: page.into_iter().map(hit).collect(),
            diversity: None,
            is_short: false,
        },
        next_cursor: next_cursor.flatten(),
    })
}
