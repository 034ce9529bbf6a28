//! Validation of schemas and items. Every error names its field and the fix.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use vitrine_schemas::{
    AttributeType, BehaviorConfig, CollectionConfig, Item, MAX_VARIANTS, Metric, Price,
    PrivacyConfig, RESERVED_NAMES, SalePrice, Variant,
    limits::{self, MAX_DIM},
};

use crate::{
    Error, Result, clock::rfc3339_micros, collection::state::space_set::Configs, distance, payload,
    query::feed::check_feed,
};

/// Magnitude below which floats are exact integers, 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Maximum number of searches in a log.
const MAX_SEARCHES: u64 = 100_000_000;

/// Maximum of the minimum number of people behind figures and reasons.
const MAX_MIN_USERS: u32 = 1_000;

/// Maximum number of words that no suggestion has.
const MAX_BLOCKED: usize = 10_000;

/// Checks the name of a collection or alias.
pub(crate) fn check_name(pointer: &str, name: &str) -> Result<()> {
    let tail = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    let head = name
        .bytes()
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if head && name.len() <= 64 && name.bytes().all(tail) {
        return Ok(());
    }
    Err(Error::invalid(
        pointer,
        format!(
            "invalid name `{name}`: use 1 to 64 characters of a-z, 0-9, `_` and `-`, starting with a letter or digit"
        ),
    ))
}

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

/// Checks an item and normalizes its cosine vectors to unit length.
///
/// Fingerprints are compared only if both the item and the collection have one.
pub(in crate::collection) fn check_item(configs: &Configs, item: &mut Item) -> Result<()> {
    item.embedding = None;
    let config = &configs.current;
    limit("/id", item.id.len(), limits::MAX_ID_BYTES)?;
    if item.id.is_empty() {
        return Err(Error::invalid("/id", "must not be empty"));
    }
    limit(
        "/title",
        item.title.as_ref().map_or(0, String::len),
        limits::MAX_TITLE_BYTES,
    )?;
    limit(
        "/description",
        item.description.as_ref().map_or(0, String::len),
        limits::MAX_DESCRIPTION_BYTES,
    )?;
    if let Some(brand) = &item.brand {
        payload::check_length(brand).map_err(|e| Error::invalid("/brand", e))?;
    }
    if let Some(category) = &item.category {
        payload::check_path(category).map_err(|e| Error::invalid("/category", e))?;
    }
    check_prices(
        "",
        [&item.price, &item.original_price],
        item.sale_price.as_ref(),
    )?;
    let times = [
        ("/created_at", &item.created_at),
        ("/expires_at", &item.expires_at),
    ];
    for (at, time) in times {
        if let Some(time) = time {
            rfc3339_micros(at, time)?;
        }
    }
    whole_floats_to_integers(config, &mut item.attributes);
    for variant in &mut item.variants {
        whole_floats_to_integers(config, &mut variant.attributes);
    }
    check_attributes("", config, &item.attributes)?;
    check_variants(config, &item.variants)?;
    let indexed = payload::column_bytes(config, item);
    if indexed > limits::MAX_ITEM_INDEX_BYTES {
        return Err(Error::invalid("", payload::too_large(indexed)));
    }
    check_sets(configs, item)?;
    let size = serde_json::to_vec(item).map_err(|e| Error::invalid("", e.to_string()))?;
    limit("", size.len(), limits::MAX_ITEM_BYTES)
}

/// Checks the prices of an item or a variant at the pointer `at`.
fn check_prices(at: &str, prices: [&Option<Price>; 2], sale: Option<&SalePrice>) -> Result<()> {
    let amounts = ["price", "original_price"].into_iter().zip(prices);
    for (name, price) in amounts.clone() {
        if let Some(currency) = price.as_ref().and_then(|price| price.currency.as_ref()) {
            let pointer = format!("{at}/{name}/currency");
            payload::check_length(currency).map_err(|e| Error::invalid(pointer, e))?;
        }
    }
    let amounts = amounts.filter_map(|(name, price)| Some((name, price.as_ref()?.amount)));
    let sale_amount = sale.map(|sale| ("sale_price", sale.amount));
    for (name, amount) in amounts.chain(sale_amount) {
        if !(amount.is_finite() && amount >= 0.0) {
            return Err(Error::invalid(
                format!("{at}/{name}/amount"),
                format!("expected a finite number, 0 or more, got {amount}"),
            ));
        }
    }
    let Some(sale) = sale else { return Ok(()) };
    if let Some(currency) = &sale.currency {
        let pointer = format!("{at}/sale_price/currency");
        payload::check_length(currency).map_err(|e| Error::invalid(pointer, e))?;
    }
    let time = |name: &str, time: &Option<String>| {
        let pointer = format!("{at}/sale_price/{name}");
        let time = time.as_deref().map(|time| rfc3339_micros(&pointer, time));
        time.transpose()
    };
    let (starts, ends) = (
        time("starts_at", &sale.starts_at)?,
        time("ends_at", &sale.ends_at)?,
    );
    if starts
        .zip(ends)
        .is_some_and(|(starts, ends)| ends <= starts)
    {
        let detail = "expected a time after `starts_at`; exchange the two";
        return Err(Error::invalid(format!("{at}/sale_price/ends_at"), detail));
    }
    Ok(())
}

fn check_variants(config: &CollectionConfig, variants: &[Variant]) -> Result<()> {
    if variants.len() > MAX_VARIANTS {
        let detail = format!(
            "expected at most {MAX_VARIANTS} variants, got {}",
            variants.len()
        );
        return Err(Error::invalid("/variants", detail));
    }
    let mut ids = HashSet::new();
    for (position, variant) in variants.iter().enumerate() {
        let at = format!("/variants/{position}");
        limit(&format!("{at}/id"), variant.id.len(), limits::MAX_ID_BYTES)?;
        if variant.id.is_empty() || !ids.insert(variant.id.as_str()) {
            let detail = format!(
                "expected an id that is unique within the item, got `{}`; use the SKU",
                variant.id
            );
            return Err(Error::invalid(format!("{at}/id"), detail));
        }
        let prices = [&variant.price, &variant.original_price];
        check_prices(&at, prices, variant.sale_price.as_ref())?;
        check_attributes(&at, config, &variant.attributes)?;
    }
    Ok(())
}

/// Makes integers of the numbers that programs write as `7.0` in attributes of that type.
fn whole_floats_to_integers(config: &CollectionConfig, attributes: &mut Map<String, Value>) {
    let is_integer = |name: &str| config.attributes.get(name) == Some(&AttributeType::Integer);
    for (_, value) in attributes.iter_mut().filter(|(name, _)| is_integer(name)) {
        let values = match value {
            Value::Array(values) => values.as_mut_slice(),
            value => std::slice::from_mut(value),
        };
        for value in values.iter_mut().filter(|value| value.is_f64()) {
            let number = value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && n.abs() < MAX_EXACT);
            if let Some(number) = number {
                *value = (number as i64).into();
            }
        }
    }
}

/// Checks the attributes of an item or a variant at the pointer `at`.
fn check_attributes(
    at: &str,
    config: &CollectionConfig,
    attributes: &Map<String, Value>,
) -> Result<()> {
    for (name, value) in attributes {
        let pointer = format!("{at}/attributes/{}", escape(name));
        let Some(kind) = config.attributes.get(name) else {
            let known: Vec<_> = config.attributes.keys().map(String::as_str).collect();
            return Err(Error::invalid(
                pointer,
                format!("is not declared; the collection has: {}", known.join(", ")),
            ));
        };
        payload::check_value(*kind, value).map_err(|e| Error::invalid(pointer, e))?;
    }
    Ok(())
}

/// Checks the vectors of an item, each against the set of spaces that its encoders fill.
fn check_sets(configs: &Configs, item: &mut Item) -> Result<()> {
    if configs.of(item.fingerprint.as_deref()).is_err()
        && let Some(also) = item.other_vectors.take()
    {
        // The collection no longer has the encoders of its `vectors`, so the others are the active
        // ones.
        item.vectors = also.vectors;
        item.fingerprint = Some(also.fingerprint);
    }
    let own = configs.of(item.fingerprint.as_deref());
    if let Some(also) = &mut item.other_vectors {
        match (&own, configs.of(Some(&also.fingerprint))) {
            (Ok(own), Ok(config)) if !Arc::ptr_eq(own, config) => {
                check_vectors("/other_vectors/vectors", config, &mut also.vectors)?;
            }
            _ => item.other_vectors = None,
        }
    }
    if !item.vectors.is_empty() {
        check_vectors("/vectors", own?, &mut item.vectors)?;
    }
    Ok(())
}

/// Checks vectors by space; cosine vectors are normalized to unit length.
pub(in crate::collection) fn check_vectors(
    pointer: &str,
    config: &CollectionConfig,
    vectors: &mut BTreeMap<String, Vec<f32>>,
) -> Result<()> {
    for (name, vector) in vectors {
        let pointer = format!("{pointer}/{}", escape(name));
        let Some(space) = config.vectors.get(name) else {
            let known: Vec<_> = config.vectors.keys().map(String::as_str).collect();
            return Err(Error::invalid(
                pointer,
                format!("no such vector space; existing: {}", known.join(", ")),
            ));
        };
        check_vector(&pointer, vector, space.dim, space.metric)?;
    }
    Ok(())
}

/// Maximum squared length of a vector that is not normalized: distances of two such vectors, and
/// their products with factors of codes, are finite in f32.
const MAX_SQUARED_LENGTH: f64 = 1e36;

/// Checks one vector; a cosine vector is normalized to unit length.
pub(in crate::collection) fn check_vector(
    pointer: &str,
    vector: &mut [f32],
    dim: usize,
    metric: Metric,
) -> Result<()> {
    if vector.len() != dim {
        return Err(Error::invalid(
            pointer,
            format!("expected {dim} components, got {}", vector.len()),
        ));
    }
    if let Some(at) = vector.iter().position(|x| !x.is_finite()) {
        return Err(Error::invalid(
            format!("{pointer}/{at}"),
            "must be a finite number",
        ));
    }
    // Distances are sums of squares in f32.
    let squared: f64 = vector.iter().map(|x| f64::from(*x).powi(2)).sum();
    if metric != Metric::Cosine && squared > MAX_SQUARED_LENGTH {
        return Err(Error::invalid(
            pointer,
            format!(
                "expected a length of at most {:e}, got {:e}; scale the vectors",
                MAX_SQUARED_LENGTH.sqrt(),
                squared.sqrt()
            ),
        ));
    }
    if metric == Metric::Cosine && !distance::normalize(vector) {
        return Err(Error::invalid(
            pointer,
            "is all zeros; a cosine space needs a direction",
        ));
    }
    Ok(())
}

fn count(pointer: &str, count: usize, max: usize) -> Result<()> {
    if count > max {
        let detail = format!("expected at most {max} entries, got {count}");
        return Err(Error::invalid(pointer, detail));
    }
    Ok(())
}

pub(in crate::collection) fn limit(pointer: &str, len: usize, max: usize) -> Result<()> {
    if len > max {
        return Err(Error::invalid(
            pointer,
            format!("is {len} bytes long; the limit is {max}"),
        ));
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

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
