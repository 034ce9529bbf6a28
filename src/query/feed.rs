//! Settings of recommendations as a feed: validation, and decay with age.

use std::ops::RangeInclusive;

use vitrine_schemas::{
    AttributeType, CollectionConfig, DiversifySpec, ExploreSpec, FeedConfig, Freshness,
    RecommendRequest,
};

use super::diversify;
use crate::{Error, Result};

/// Half-lives of age that an item without a date counts as, if there is no maximum age.
const UNDATED_HALF_LIVES: f64 = 10.0;

/// Range of half-lives and ages, in hours.
const HOURS: RangeInclusive<f64> = 0.01..=876_000.0;

/// Maximum number of explored hits of a page.
const MAX_EXPLORED: usize = 100;

/// Settings of one request: its own, or else those of the collection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Feed<'a> {
    pub freshness: Option<&'a Freshness>,
    pub followed_field: Option<&'a str>,
    pub max_impressions: Option<u32>,
    pub diversify: Option<&'a DiversifySpec>,
    /// Maximum number of explored hits of a page; 0: none.
    pub max_explored: usize,
}

impl<'a> Feed<'a> {
    /// Returns the settings of a request to a collection.
    ///
    /// # Errors
    /// [`Error::Invalid`] with pointers to the fields of the request.
    pub fn of(request: &'a RecommendRequest, config: &'a CollectionConfig) -> Result<Self> {
        if let Some(freshness) = &request.freshness {
            check_freshness("/freshness", freshness, config)?;
        }
        check_impressions("/max_impressions", request.max_impressions)?;
        check_explore("/explore", request.explore)?;
        let default = config.feed.as_ref().filter(|_| request.feed);
        let (freshness, diversify) = (request.freshness.as_ref(), request.diversify.as_ref());
        let max_impressions = default.and_then(|feed| feed.max_impressions);
        let explore = request.explore.or_else(|| default?.explore);
        Ok(Self {
            freshness: freshness.or_else(|| default?.freshness.as_ref()),
            followed_field: default.and_then(|feed| feed.followed_field.as_deref()),
            max_impressions: request.max_impressions.or(max_impressions),
            diversify: diversify.or_else(|| default?.diversify.as_ref()),
            max_explored: explore.map_or(0, |explore| explore.max_per_page),
        })
    }
}

/// Checks the settings of a collection.
///
/// # Errors
/// [`Error::Invalid`] with pointers below `/feed`.
pub(crate) fn check_feed(feed: &FeedConfig, config: &CollectionConfig) -> Result<()> {
    if let Some(freshness) = &feed.freshness {
        check_freshness("/feed/freshness", freshness, config)?;
    }
    if let Some(field) = &feed.followed_field {
        check_labels("/feed/followed_field", field, config)?;
    }
    check_impressions("/feed/max_impressions", feed.max_impressions)?;
    check_explore("/feed/explore", feed.explore)?;
    if config.privacy.is_some() && feed.explore.is_some_and(|e| e.max_per_page > 0) {
        let detail =
            "expected 0 in a private collection: draws would depend on the events of users";
        return Err(Error::invalid("/feed/explore/max_per_page", detail));
    }
    let Some(spec) = &feed.diversify else {
        return Ok(());
    };
    let check = |at: &str, field: &str| check_labels(at, field, config);
    diversify::check("/feed/diversify", spec, check)?;
    match &spec.space {
        Some(space) if !config.vectors.contains_key(space) => Err(Error::invalid(
            "/feed/diversify/space",
            format!("no vector space `{space}`; declare it in `vectors`"),
        )),
        _ => Ok(()),
    }
}

fn check_freshness(at: &str, freshness: &Freshness, config: &CollectionConfig) -> Result<()> {
    let hours = [
        ("half_life_hours", Some(freshness.half_life_hours)),
        ("max_age_hours", freshness.max_age_hours),
    ];
    for (name, hours) in hours {
        if let Some(hours) = hours.filter(|hours| !HOURS.contains(hours)) {
            let detail = format!("expected 0.01 to 876000, got {hours}");
            return Err(Error::invalid(format!("{at}/{name}"), detail));
        }
    }
    let field = freshness.field.as_str();
    let is_time =
        field == "created_at" || config.attributes.get(field) == Some(&AttributeType::Datetime);
    if is_time {
        return Ok(());
    }
    let detail = format!("expected `created_at` or a `datetime` attribute, got `{field}`");
    Err(Error::invalid(format!("{at}/field"), detail))
}

fn check_labels(at: &str, field: &str, config: &CollectionConfig) -> Result<()> {
    let is_keyword = matches!(
        config.attributes.get(field),
        Some(AttributeType::Keyword | AttributeType::Category)
    );
    if is_keyword || matches!(field, "brand" | "category") {
        return Ok(());
    }
    let detail = format!("expected `brand`, `category` or a `keyword` attribute, got `{field}`");
    Err(Error::invalid(at, detail))
}

fn check_impressions(at: &str, impressions: Option<u32>) -> Result<()> {
    match impressions {
        Some(0) => Err(Error::invalid(at, "expected 1 or more, got 0")),
        _ => Ok(()),
    }
}

fn check_explore(at: &str, explore: Option<ExploreSpec>) -> Result<()> {
    match explore {
        Some(ExploreSpec { max_per_page }) if max_per_page > MAX_EXPLORED => {
            let detail = format!("expected 0 to {MAX_EXPLORED}, got {max_per_page}");
            Err(Error::invalid(format!("{at}/max_per_page"), detail))
        }
        _ => Ok(()),
    }
}

/// Decay of a score with the age of an item: half of it for each half-life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AgeDecay {
    /// Current time, seconds since 1970.
    now: f64,
    /// Half-life in seconds.
    half_life: f64,
    /// Age in seconds of an item without a date.
    undated: f64,
}

impl AgeDecay {
    /// Creates the decay at a time, in microseconds since 1970.
    pub fn new(freshness: &Freshness, now: i64) -> Self {
        let half_life = freshness.half_life_hours * 3600.0;
        let max_age = freshness.max_age_hours.map(|hours| hours * 3600.0);
        Self {
            now: now as f64 / 1e6,
            half_life,
            undated: max_age.unwrap_or(UNDATED_HALF_LIVES * half_life),
        }
    }

    /// Returns the factor of the score of an item of a time, in seconds since 1970; 1 for one of
    /// the future.
    pub fn factor(&self, time: Option<f64>) -> f32 {
        let age = time.map_or(self.undated, |time| (self.now - time).max(0.0));
        (-age / self.half_life).exp2() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness(half_life: f64, max_age: Option<f64>) -> Freshness {
        Freshness {
            half_life_hours: half_life,
            max_age_hours: max_age,
            field: "created_at".to_owned(),
        }
    }

    #[test]
    fn scores_halve_with_each_half_life() {
        let now = 1_000_000_000_000_000;
        let at = |hours_ago: f64| Some(1e9 - hours_ago * 3600.0);
        let decay = AgeDecay::new(&freshness(6.0, None), now);
        for (age, factor) in [(0.0, 1.0), (6.0, 0.5), (18.0, 0.125), (-5.0, 1.0)] {
            assert!((decay.factor(at(age)) - factor).abs() < 1e-6, "{age}");
        }
        assert_eq!(decay.factor(None), decay.factor(at(60.0)));
        let bounded = AgeDecay::new(&freshness(6.0, Some(12.0)), now);
        assert_eq!(bounded.factor(None), bounded.factor(at(12.0)));
    }

    #[test]
    fn settings_are_checked_by_field() {
        let config: CollectionConfig = serde_json::from_value(serde_json::json!({
            "vectors": {"text": {"dim": 2}},
            "attributes": {"author": "keyword", "published": "datetime", "words": "integer"},
        }))
        .expect("a configuration");
        let check = |feed: serde_json::Value| {
            let feed: FeedConfig = serde_json::from_value(feed).expect("settings");
            check_feed(&feed, &config).err().map(|e| e.to_string())
        };
        let published = serde_json::json!({"half_life_hours": 6, "field": "published"});
        assert_eq!(check(serde_json::json!({"freshness": published})), None);
        for (field, feed) in [
            (
                "half_life_hours",
                r#"{"freshness": {"half_life_hours": 0}}"#,
            ),
            (
                "max_age_hours",
                r#"{"freshness": {"half_life_hours": 1, "max_age_hours": -1}}"#,
            ),
            (
                "freshness/field",
                r#"{"freshness": {"half_life_hours": 1, "field": "author"}}"#,
            ),
            ("followed_field", r#"{"followed_field": "words"}"#),
            ("max_impressions", r#"{"max_impressions": 0}"#),
            (
                "explore/max_per_page",
                r#"{"explore": {"max_per_page": 101}}"#,
            ),
            ("max_similarity", r#"{"diversify": {"max_similarity": 2}}"#),
            (
                "max_per/writer",
                r#"{"diversify": {"max_per": {"writer": 2}}}"#,
            ),
            (
                "max_per/author",
                r#"{"diversify": {"max_per": {"author": 0}}}"#,
            ),
            ("group_by", r#"{"diversify": {"group_by": "published"}}"#),
            ("space", r#"{"diversify": {"space": "image"}}"#),
        ] {
            let error = check(serde_json::from_str(feed).expect("JSON"));
            let error = error.unwrap_or_else(|| panic!("{feed} is refused"));
            assert!(error.contains(field), "{feed}: {error}");
        }
    }
}
