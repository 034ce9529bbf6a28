//! Requests that name a saved way to search.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};
use vitrine_schemas::{Preset, SearchRequest};

use crate::{
    call::Call,
    error::{ApiError, ApiResult},
};

/// A body, and which of its fields were sent: a default that was sent counts, one that was not gives way to a preset's value.
pub struct Sent<T> {
    /// The body.
    pub body: T,
    fields: Vec<String>,
}

impl Sent<SearchRequest> {
    /// The search, with what its preset says of the fields that were not sent.
    ///
    /// # Errors
    /// There is no such preset, or collection.
    pub async fn completed(self, call: &Call, c: &str) -> ApiResult<SearchRequest> {
        let Some(name) = self.body.preset.clone() else {
            return Ok(self.body);
        };
        let c = c.to_owned();
        let preset: Preset = call
            .read(move |database| database.collection(&c)?.setting(&name))
            .await?;
        overlaid(self, preset.search)
    }
}

fn overlaid(sent: Sent<SearchRequest>, mut fields: Map<String, Value>) -> ApiResult<SearchRequest> {
    // A field that was sent as nothing, such as `"facets": []`, is not written again below.
    fields.retain(|name, _| !sent.fields.contains(name));
    let own = serde_json::to_value(&sent.body).map_err(ApiError::internal)?;
    if let Value::Object(own) = own {
        fields.extend(
            own.into_iter()
                .filter(|(name, _)| sent.fields.contains(name)),
        );
    }
    // Both were read before, the preset when it was stored.
    serde_json::from_value(Value::Object(fields)).map_err(|e| ApiError::invalid("", e.to_string()))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Watching(PhantomData))
    }
}

struct Watching<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Watching<T> {
    type Value = Sent<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        let watched = Watched {
            map,
            fields: &mut fields,
        };
        let body = T::deserialize(MapAccessDeserializer::new(watched))?;
        Ok(Sent { body, fields })
    }
}

/// A map whose keys are written down as they pass.
struct Watched<'a, A> {
    map: A,
    fields: &'a mut Vec<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Watched<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.map.next_key_seed(Key {
            seed,
            fields: self.fields,
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

/// A key that is written down.
struct Key<'a, K> {
    seed: K,
    fields: &'a mut Vec<String>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        use serde::de::IntoDeserializer;
        let key = String::deserialize(deserializer)?;
        self.fields.push(key.clone());
        self.seed.deserialize(key.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body::parse;

    fn overlay(body: &Value, preset: &Value) -> SearchRequest {
        let sent = parse(body.to_string().as_bytes()).expect("a search");
        let preset = preset.as_object().expect("fields").clone();
        overlaid(sent, preset).expect("a search")
    }

    #[test]
    fn what_was_sent_counts_even_where_it_is_the_default() {
        let preset = json!({"limit": 48, "explain": true, "mode": "lexical"});
        let all = overlay(&json!({"query": {"text": "x"}, "preset": "p"}), &preset);
        assert_eq!((all.limit, all.explain), (48, true));
        let body = json!({"query": {"text": "x"}, "preset": "p", "limit": 10, "explain": false});
        let own = overlay(&body, &preset);
        assert_eq!((own.limit, own.explain, own.mode), (10, false, all.mode));
    }

    #[test]
    fn a_fault_keeps_its_place() {
        let fault = |body: &str| {
            parse::<Sent<SearchRequest>>(body.as_bytes())
                .err()
                .expect("a fault")
        };
        let errors = fault(r#"{"query": {"vector": [1, "x"]}}"#).errors;
        assert_eq!(errors[0].pointer, "/query/vector/1");
        assert!(errors[0].detail.contains("line 1 column"), "{errors:?}");
        let errors = fault(r#"{"query": {"text": "x"}, "limits": 3}"#).errors;
        assert!(errors[0].detail.contains("`limits`"), "{errors:?}");
        assert!(parse::<Sent<SearchRequest>>(b"[]").is_err());
    }
}
