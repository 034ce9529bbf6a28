//! Validation of the schema of a collection: spaces, attributes and settings.

use vitrine_schemas::{
    BehaviorConfig, CollectionConfig, PrivacyConfig, RESERVED_NAMES,
    limits::{self, MAX_DIM},
};

use super::escape;
use crate::{Error, Result, query::feed::check_feed};

/// Maximum number of searches in a log.
const MAX_SEARCHES: u64 = 100_000_000;

/// Maximum number of words that no suggestion has.
const MAX_BLOCKED: usize = 10_000;

/// Maximum of the minimum number of people behind figures and reasons.
const MAX_MIN_USERS: u32 = 1_000;

/// Checks the schema of a collection.
pub(crate) fn check_config(config: &CollectionConfig) -> Result<()> {
    if config.vectors.is_empty() {
        return Err(Error::invalid(
            "/vectors",
            "declare at least one vector space; a server with encoders declares theirs if both `vectors` and `fingerprint` are left out",
        ));
    }
    count("/vectors", config.vectors.len(), limits::MAX_SPACES)?;
    count(
        "/attributes",
        config.attributes.len(),
        limits::MAX_ATTRIBUTES,
    )?;
    for (name, space) in &config.vectors {
        let pointer = format!("/vectors/{}", escape(name));
        if !identifier(name) {
            return Err(Error::invalid(pointer, "name a space [a-z][a-z0-9_]{0,63}"));
        }
        if !(1..=MAX_DIM).contains(&space.dim) {
            let detail = format!("must be 1 to {MAX_DIM}");
            return Err(Error::invalid(pointer + "/dim", detail));
        }
    }
    check_behavior(&config.behavior)?;
    config
        .feed
        .as_ref()
        .map_or(Ok(()), |feed| check_feed(feed, config))?;
    config.privacy.as_ref().map_or(Ok(()), check_privacy)?;
    check_searches(config)?;
    for name in config.attributes.keys() {
        let pointer = format!("/attributes/{}", escape(name));
        // Attributes keep the names of the shop's columns (`baseColor`); the names of spaces are
        // ours.
        if !identifier(&name.to_ascii_lowercase()) {
            return Err(Error::invalid(
                pointer,
                "name an attribute [A-Za-z][A-Za-z0-9_]{0,63}",
            ));
        }
        if RESERVED_NAMES.contains(&name.as_str()) {
            return Err(Error::invalid(
                pointer,
                "is a built-in field; choose another name",
            ));
        }
    }
    Ok(())
}

/// Checks the settings of the search log, of its figures and of suggestions.
fn check_searches(config: &CollectionConfig) -> Result<()> {
    let (log, suggest) = (&config.search_log, &config.suggest);
    if !(1..=MAX_MIN_USERS).contains(&config.anonymity.min_users) {
        let detail = format!(
            "expected 1 to {MAX_MIN_USERS}, got {}",
            config.anonymity.min_users
        );
        return Err(Error::invalid("/anonymity/min_users", detail));
    }
    if !(0.001..=36_500.0).contains(&log.retention_days) {
        let detail = format!("expected 0.001 to 36500, got {}", log.retention_days);
        return Err(Error::invalid("/search_log/retention_days", detail));
    }
    if !(1..=MAX_SEARCHES).contains(&log.max_searches) {
        let detail = format!("expected 1 to {MAX_SEARCHES}, got {}", log.max_searches);
        return Err(Error::invalid("/search_log/max_searches", detail));
    }
    if !(1..=100).contains(&suggest.min_users) {
        let detail = format!("expected 1 to 100, got {}", suggest.min_users);
        return Err(Error::invalid("/suggest/min_users", detail));
    }
    if suggest.blocked.len() > MAX_BLOCKED {
        let detail = format!(
            "expected at most {MAX_BLOCKED}, got {}",
            suggest.blocked.len()
        );
        return Err(Error::invalid("/suggest/blocked", detail));
    }
    Ok(())
}

/// Checks the settings of learning from events.
fn check_behavior(config: &BehaviorConfig) -> Result<()> {
    for (kind, weight) in &config.weights {
        let name = serde_json::to_value(kind).unwrap_or_default();
        let pointer = format!("/behavior/weights/{}", name.as_str().unwrap_or_default());
        if !(0.0..=1000.0).contains(weight) {
            return Err(Error::invalid(pointer, "must be 0 to 1000"));
        }
        if !kind.is_choice() && *weight != 0.0 {
            let detail = "only choices of an item have a weight: `hide`, `return`, `impression`, \
                          `follow` and `unfollow` have none; leave them out";
            return Err(Error::invalid(pointer, detail));
        }
    }
    let days = |days: f64, min: f64| (min..=36_500.0).contains(&days);
    for (kind, age) in &config.retention_days_by_kind {
        let name = serde_json::to_value(kind).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        let pointer = format!("/behavior/retention_days_by_kind/{name}");
        if kind.is_about_followed() {
            let detail = "what users follow is kept until they unfollow; leave it out";
            return Err(Error::invalid(pointer, detail));
        }
        if !days(*age, 0.001) {
            let detail = format!("expected 0.001 to 36500, got {age}");
            return Err(Error::invalid(pointer, detail));
        }
    }
    let checks = [
        (
            "liked_rating",
            config.liked_rating.is_finite(),
            "must be a finite number",
        ),
        (
            "half_life_days",
            days(config.half_life_days, 0.001),
            "must be 0.001 to 36500",
        ),
        (
            "retention_days",
            config.retention_days.is_none_or(|d| days(d, 0.001)),
            "must be 0.001 to 36500",
        ),
        (
            "keep_models",
            (1..=100).contains(&config.keep_models),
            "must be 1 to 100",
        ),
        (
            "max_touches",
            (1..=1_000_000_000).contains(&config.max_touches),
            "must be 1 to 1000000000",
        ),
        (
            "training_memory_mib",
            (1..=1 << 30).contains(&config.training_memory_mib),
            "must be 1 to 1073741824",
        ),
    ];
    match checks.iter().find(|(_, is_valid, _)| !is_valid) {
        Some((field, _, detail)) => Err(Error::invalid(format!("/behavior/{field}"), *detail)),
        None => Ok(()),
    }
}

/// Checks the privacy settings of a collection.
fn check_privacy(config: &PrivacyConfig) -> Result<()> {
    let days = f64::from(config.period_days);
    let most = f64::from(config.max_items_per_user);
    let releases = f64::from(config.releases_per_period);
    let checks = [
        ("epsilon", config.epsilon, 0.01..=10.0),
        ("delta", config.delta, 1e-12..=0.001),
        ("period_days", days, 1.0..=366.0),
        ("max_items_per_user", most, 1.0..=1000.0),
        ("releases_per_period", releases, 1.0..=31.0),
    ];
    match checks
        .iter()
        .find(|(_, value, range)| !range.contains(value))
    {
        Some((field, value, range)) => {
            let (from, to) = (range.start(), range.end());
            let detail = format!("expected {from} to {to}, got {value}");
            Err(Error::invalid(format!("/privacy/{field}"), detail))
        }
        None => Ok(()),
    }
}

fn count(pointer: &str, count: usize, max: usize) -> Result<()> {
    if count > max {
        let detail = format!("expected at most {max} entries, got {count}");
        return Err(Error::invalid(pointer, detail));
    }
    Ok(())
}

fn identifier(name: &str) -> bool {
    name.len() <= 64
        && name.bytes().next().is_some_and(|c| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}
