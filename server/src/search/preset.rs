//! Search requests that name a preset.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};
use vitrine_schemas::{Preset, SearchRequest};

use crate::{
    error::{ApiError, ApiResult},
    http::request_context::RequestContext,
};

/// A body with the names of the fields that were sent: a default value that was sent wins over the
/// preset, one that was not sent does not.
pub struct BodyWithPresence<T> {
    /// The body.
    pub body: T,
    fields: Vec<String>,
}

impl BodyWithPresence<SearchRequest> {
    /// Completes the search with its preset: fields that were not sent take the preset's values.
    ///
    /// # Errors
    /// The preset or collection does not exist.
    pub async fn completed(self, context: &RequestContext, c: &str) -> ApiResult<SearchRequest> {
        let Some(name) = self.body.preset.clone() else {
            return Ok(self.body);
        };
        let c = c.to_owned();
        let preset: Preset = context
            .read(move |database| database.collection(&c)?.setting(&name))
            .await?;
        overlay(self, preset.search)
    }
}

fn overlay(
    sent: BodyWithPresence<SearchRequest>,
    mut fields: Map<String, Value>,
) -> ApiResult<SearchRequest> {
    // A field that was sent with its empty value, such as `"facets": []`, is not serialized below.
    fields.retain(|name, _| !sent.fields.contains(name));
    let body = serde_json::to_value(&sent.body).map_err(ApiError::internal)?;
    if let Value::Object(body) = body {
        fields.extend(
            body.into_iter()
                .filter(|(name, _)| sent.fields.contains(name)),
        );
    }
    // Both were validated before, the preset when it was stored.
    serde_json::from_value(Value::Object(fields)).map_err(|e| ApiError::invalid("", e.to_string()))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for BodyWithPresence<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PresenceVisitor(PhantomData))
    }
}

struct PresenceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PresenceVisitor<T> {
    type Value = BodyWithPresence<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        let recording = RecordingMap {
            map,
            fields: &mut fields,
        };
        let body = T::deserialize(MapAccessDeserializer::new(recording))?;
        Ok(BodyWithPresence { body, fields })
    }
}

/// A map that records its keys.
struct RecordingMap<'a, A> {
    map: A,
    fields: &'a mut Vec<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for RecordingMap<'_, A> {
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

/// A key that is recorded.
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
    use crate::http::body::parse;

    fn complete(body: &Value, preset: &Value) -> SearchRequest {
        let sent = parse(body.to_string().as_bytes()).expect("a search");
        let preset = preset.as_object().expect("fields").clone();
        overlay(sent, preset).expect("a search")
    }

    #[test]
    fn what_was_sent_counts_even_where_it_is_the_default() {
        let preset = json!({"limit": 48, "explain": true, "mode": "lexical"});
        let all = complete(&json!({"query": {"text": "x"}, "preset": "p"}), &preset);
        assert_eq!((all.limit, all.explain), (48, true));
        let body = json!({"query": {"text": "x"}, "preset": "p", "limit": 10, "explain": false});
        let own = complete(&body, &preset);
        assert_eq!((own.limit, own.explain, own.mode), (10, false, all.mode));
    }

    #[test]
    fn an_error_keeps_its_pointer() {
        let error = |body: &str| {
            parse::<BodyWithPresence<SearchRequest>>(body.as_bytes())
                .err()
                .expect("an error")
        };
        let errors = error(r#"{"query": {"vector": [1, "x"]}}"#).errors;
        assert_eq!(errors[0].pointer, "/query/vector/1");
        assert!(errors[0].detail.contains("line 1 column"), "{errors:?}");
        let errors = error(r#"{"query": {"text": "x"}, "limits": 3}"#).errors;
        assert!(errors[0].detail.contains("`limits`"), "{errors:?}");
        assert!(parse::<BodyWithPresence<SearchRequest>>(b"[]").is_err());
    }
}
