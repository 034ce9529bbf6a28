//! Validation of items: lengths, prices, variants, attributes and vectors.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use vitrine_schemas::{
    AttributeType, CollectionConfig, Item, MAX_VARIANTS, Metric, Price, SalePrice, Variant, limits,
};

use super::{escape, limit};
use crate::{
    Error, Result, clock::rfc3339_micros, collection::state::space_set::Configs, distance, payload,
};

/// Magnitude below which floats are exact integers, 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Maximum squared length of a vector that is not normalized: distances of two such vectors, and
/// their products with factors of codes, are finite in f32.
const MAX_SQUARED_LENGTH: f64 = 1e36;

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
