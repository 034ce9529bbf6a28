//! What a saved way to search may be: what a search with it could be.

use serde_json::{Map, Value, json};
use vitrine_schemas::{Preset, SearchRequest};

use super::check_name;
use crate::{
    Error, Result,
    collection::{Collection, diversify, reader::check_limit},
};

/// Fields that say what is searched and who named the preset, not how to search.
const NOT_SAVED: [&str; 3] = ["query", "cursor", "preset"];

/// Bytes of one, as JSON.
const MOST_BYTES: usize = 64 << 10;

/// Greatest breadth of a graph search.
const MOST_EF: usize = 10_000;

pub(super) fn preset(preset: &Preset, collection: &Collection) -> Result<()> {
    check_name("/id", &preset.id)?;
    let bytes = serde_json::to_vec(preset).map_or(0, |json| json.len());
    if bytes > MOST_BYTES {
        let detail = format!("has {bytes} bytes, at most {MOST_BYTES}");
        return Err(Error::invalid("", detail));
    }
    let search = read(&preset.search).map_err(|e| e.under("/search"))?;
    check(&search, collection).map_err(|e| e.under("/search"))
}

/// The search that it would be for some query.
fn read(fields: &Map<String, Value>) -> Result<SearchRequest> {
    for (name, value) in fields {
        if NOT_SAVED.contains(&name.as_str()) {
            let detail = "is no way to search: the request says it";
            return Err(Error::invalid(format!("/{name}"), detail));
        }
        // One by one, so that a fault is at its field.
        let mut alone = Map::from_iter([(name.clone(), value.clone())]);
        alone.insert("query".to_owned(), json!({"text": "x"}));
        let read = serde_json::from_value::<SearchRequest>(Value::Object(alone));
        read.map_err(|e| Error::invalid(format!("/{name}"), e.to_string()))?;
    }
    let mut all = fields.clone();
    all.insert("query".to_owned(), json!({"text": "x"}));
    serde_json::from_value(Value::Object(all)).map_err(|e| Error::invalid("", e.to_string()))
}

/// What a search would refuse without looking at its query.
fn check(search: &SearchRequest, collection: &Collection) -> Result<()> {
    check_limit(search.limit)?;
    if search.ef.is_some_and(|ef| !(1..=MOST_EF).contains(&ef)) {
        return Err(Error::invalid("/ef", format!("must be 1 to {MOST_EF}")));
    }
    collection.blend(search.blend.as_ref())?;
    let state = collection.state.read();
    state.space(&search.space)?;
    if let Some(spec) = &search.diversify {
        diversify::check(spec, &state)?;
    }
    if let Some(filter) = &search.filter {
        let nothing = Default::default();
        let evaluated = state.payload.evaluate(filter, &nothing, &|_| None);
        evaluated.map_err(|e| e.under("/filter"))?;
    }
    if !search.facets.is_empty() {
        state.facets(&search.facets, &Default::default())?;
    }
    Ok(())
}
