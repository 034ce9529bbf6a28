//! Validation of presets: a preset is valid if a search with it could be.

use serde_json::{Map, Value, json};
use vitrine_schemas::{Preset, SearchRequest};

use crate::{
    Error, Result,
    collection::{
        Collection, check_name,
        ranking::{diversify, order},
        state::read::check_limit,
    },
};

/// Fields of a search that a preset, or a variant of an experiment, cannot set.
const EXCLUDED_FIELDS: [&str; 4] = ["query", "cursor", "preset", "experiment"];

/// Maximum bytes of a preset as JSON.
const MAX_PRESET_BYTES: usize = 64 << 10;

/// Maximum `ef` of a graph search.
const MAX_EF: usize = 10_000;

pub(in crate::collection) fn preset(preset: &Preset, collection: &Collection) -> Result<()> {
    check_name("/id", &preset.id)?;
    let bytes = serde_json::to_vec(preset).map_or(0, |json| json.len());
    if bytes > MAX_PRESET_BYTES {
        let detail = format!("is {bytes} bytes long; the limit is {MAX_PRESET_BYTES}");
        return Err(Error::invalid("", detail));
    }
    fields(&preset.search, collection).map_err(|e| e.under("/search"))
}

/// Checks the fields of a search, except the query.
pub(super) fn fields(fields: &Map<String, Value>, collection: &Collection) -> Result<()> {
    check(&read(fields)?, collection)
}

/// Reads the preset as a search for some query.
fn read(fields: &Map<String, Value>) -> Result<SearchRequest> {
    for (name, value) in fields {
        if EXCLUDED_FIELDS.contains(&name.as_str()) {
            let detail = "cannot be set here; send it with the request";
            return Err(Error::invalid(format!("/{name}"), detail));
        }
        // Field by field, so that an error names its field.
        let mut alone = Map::from_iter([(name.clone(), value.clone())]);
        alone.insert("query".to_owned(), json!({"text": "x"}));
        let read = serde_json::from_value::<SearchRequest>(Value::Object(alone));
        read.map_err(|e| Error::invalid(format!("/{name}"), e.to_string()))?;
    }
    let mut all = fields.clone();
    all.insert("query".to_owned(), json!({"text": "x"}));
    serde_json::from_value(Value::Object(all)).map_err(|e| Error::invalid("", e.to_string()))
}

/// Checks everything that a search checks, except the query.
fn check(search: &SearchRequest, collection: &Collection) -> Result<()> {
    check_limit(search.limit)?;
    if search.ef.is_some_and(|ef| !(1..=MAX_EF).contains(&ef)) {
        return Err(Error::invalid("/ef", format!("must be 1 to {MAX_EF}")));
    }
    collection.blend(search.blend.as_ref())?;
    let state = collection.state.read();
    state.space(&search.space)?;
    // A search with the preset may have a query.
    order::check(&search.sort, &state, true)?;
    if let Some(spec) = &search.diversify {
        diversify::check(spec, &state)?;
    }
    if let Some(filter) = &search.filter {
        let nothing = Default::default();
        let evaluated = state.payload.evaluate(filter, &nothing, &|_| None);
        evaluated.map_err(|e| e.under("/filter"))?;
    }
    if !search.facets.is_empty() {
        state.facets(&search.facets, &Default::default(), None)?;
    }
    Ok(())
}
