//! Fixed blends: the weights that are used until a blend is learned, with where they were measured.

use std::collections::{BTreeMap, btree_map::Entry};

use vitrine_schemas::{BlendMethod, Source};

use super::{
    Calibration,
    model::{BlendModel, BlendPart, evidence_share},
};

/// Default number of history items, and of events with an item, at which behavior counts half of
/// its weight.
const DEFAULT_USER_EVIDENCE: f32 = 1.0;
const DEFAULT_ITEM_EVIDENCE: f32 = 16.0;

/// Weights of full-text and vector search in a hybrid search. A full-text score is the share of the
/// query that an item covers, a vector score the number of standard deviations above the mean of
/// all items, so neither depends on the other candidates. Found on a third of Home Depot's judged
/// terms and on Abt-Buy with MiniLM (`make bench-relevance`).
const LEXICAL_WEIGHT: f32 = 1.0;
const VECTOR_WEIGHT: f32 = 0.025;

/// Weight that vectors gain if no item has any word of the query; a share of it if the item that
/// covers most of the query lacks some of the words.
const UNCOVERED_VECTOR_WEIGHT: f32 = 0.15;

/// Weights of the sources for items of other categories, scores scaled to 0 to 1. Found on half of
/// the baskets of a grocery and of Amazon's purchases in two categories (`make bench-cross`).
const CROSS_CATEGORY_WEIGHTS: [(Source, f32); 4] = [
    (Source::Query, 1.0),
    (Source::Behavior, 2.0),
    (Source::Popularity, 1.0),
    (Source::Transition, 0.75),
];

/// Number of events with an item at which item neighbors count half of their weight across
/// categories; and number of events per item of the shop at which popularity and transitions do.
const CROSS_CATEGORY_EVIDENCE: f32 = 40.0;
const SHOP_EVIDENCE: f32 = 1.0;

/// Number of events of a collection at which popularity counts half of its default weight. The
/// order of fewer is chance.
const POPULARITY_EVIDENCE: f32 = 20.0;

/// Weight of popularity in a search: popularity must not outweigh relevance.
const POPULARITY_SEARCH_WEIGHT: f32 = 0.1;

impl BlendModel {
    /// Returns weighted reciprocal rank fusion with the default weights, which is used until a
    /// blend is learned. Popularity leads while items have few events, and gives way to behavior
    /// with more. The weight of popularity and the evidence of items are from films and a grocery
    /// at 300 to 50,000 events (`make bench-prior`): there more of either gains little.
    pub fn rrf() -> Self {
        let weights = [
            (Source::Query, 1.0),
            (Source::Lexical, 1.0),
            (Source::Behavior, 1.0),
            (Source::Session, 1.0),
            (Source::Sequence, 1.0),
            (Source::Network, 1.0),
            (Source::Content, 0.5),
            (Source::Popularity, 1.0),
            (Source::Newest, 0.01),
        ];
        Self {
            user_evidence: DEFAULT_USER_EVIDENCE,
            item_evidence: DEFAULT_ITEM_EVIDENCE,
            ..Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
        }
    }

    /// Returns the blend of full-text and vector search for an unknown shopper. Vectors count
    /// little beside an item that has all words of the query, such as a model number, and most if
    /// no item has any.
    pub fn hybrid() -> Self {
        let mut blend = Self::of(BlendMethod::Weighted, [], |_| Calibration::RELATIVE);
        blend.add_hybrid_sources();
        blend
    }

    /// Adds full-text and vector search, where the blend lacks them.
    fn add_hybrid_sources(&mut self) {
        let lexical = BlendPart {
            weight: LEXICAL_WEIGHT,
            calibration: Calibration::COVERED,
        };
        self.parts.entry(Source::Lexical).or_insert(lexical);
        if let Entry::Vacant(query) = self.parts.entry(Source::Query) {
            query.insert(BlendPart {
                weight: VECTOR_WEIGHT,
                calibration: Calibration::STANDARD,
            });
            self.uncovered_vector_weight = UNCOVERED_VECTOR_WEIGHT;
        }
    }

    /// Returns the blend for items of other categories, in a shop with `events` events per item.
    /// The evidence of its candidate sets is the number of events with the query item.
    pub fn cross(events: f32) -> Self {
        let weights = CROSS_CATEGORY_WEIGHTS.map(|(source, weight)| match source {
            Source::Popularity | Source::Transition => {
                (source, weight * evidence_share(events, SHOP_EVIDENCE))
            }
            _ => (source, weight),
        });
        Self {
            user_evidence: CROSS_CATEGORY_EVIDENCE,
            ..Self::of(BlendMethod::Weighted, weights, |_| Calibration::RELATIVE)
        }
    }

    /// Returns the blend adapted to searches: adds the query sources that a learned blend lacks.
    pub fn for_search(&self, is_hybrid: bool) -> Self {
        let mut blend = self.clone();
        if blend.method == BlendMethod::Rrf {
            if let Some(popularity) = blend.parts.get_mut(&Source::Popularity) {
                popularity.weight = POPULARITY_SEARCH_WEIGHT;
            }
            return blend;
        }
        if is_hybrid {
            blend.add_hybrid_sources();
        } else {
            // A single query source counts as much as all learned sources together.
            for source in [Source::Query, Source::Lexical] {
                blend.parts.entry(source).or_insert(BlendPart {
                    weight: 1.0,
                    calibration: Calibration::RELATIVE,
                });
            }
        }
        blend
    }

    /// Returns the blend for a collection with `events` events: few say little about popularity. A
    /// learned blend has weighed it.
    pub fn with_events(&self, events: u64) -> Self {
        let mut blend = self.clone();
        let popularity = blend.parts.get_mut(&Source::Popularity);
        if let Some(part) = popularity.filter(|_| self.method == BlendMethod::Rrf) {
            part.weight *= evidence_share(events as f32, POPULARITY_EVIDENCE);
        }
        blend
    }

    /// Adds the items of followed authors, which no blend learns: with the greatest weight of a
    /// source.
    pub fn with_following(&self) -> Self {
        let mut blend = self.clone();
        let weights = blend.parts.values().map(|part| part.weight);
        let part = BlendPart {
            weight: weights.fold(0.0, f32::max),
            calibration: match blend.method {
                BlendMethod::Rrf => Calibration::RANK,
                _ => Calibration::RELATIVE,
            },
        };
        blend.parts.entry(Source::Following).or_insert(part);
        blend
    }

    /// Returns rank fusion with the given weights; other sources are left out. Evidence does not
    /// change the weights.
    pub fn rrf_with(weights: &BTreeMap<Source, f32>) -> Self {
        let weights = weights.iter().map(|(source, weight)| (*source, *weight));
        Self::of(BlendMethod::Rrf, weights, |_| Calibration::RANK)
    }

    /// Returns a weighted sum with the given weights, of scores calibrated as in the `learned`
    /// blend, or else scaled to 0 to 1. Other sources are left out. Evidence does not change the
    /// weights.
    pub fn weighted(learned: Option<&Self>, weights: &BTreeMap<Source, f32>) -> Self {
        let weights = weights.iter().map(|(source, weight)| (*source, *weight));
        Self::of(BlendMethod::Weighted, weights, |source| {
            let part = learned.and_then(|l| l.parts.get(&source));
            part.map_or(Calibration::RELATIVE, |p| p.calibration)
        })
    }
}
