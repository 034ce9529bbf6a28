//! Search requests that name a preset or take part in an experiment.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};
use vitrine::experiments::variant_of;
use vitrine_schemas::{Experiment, ExperimentKind, ExperimentUse, Preset, SearchRequest};

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

/// A search with all its fields, and its part in an experiment.
pub struct CompletedSearch {
    /// The search, as the assigned variant has it; of interleaved ones, the control.
    pub request: SearchRequest,
    /// Experiment and variant.
    pub experiment: Option<ExperimentUse>,
    /// The search of the other variant, if the hits of both are interleaved.
    pub rival: Option<SearchRequest>,
}

impl BodyWithPresence<SearchRequest> {
    /// Completes the search: fields that were not sent take the values of the variant of its
    /// experiment, or else of its preset.
    ///
    /// # Errors
    /// The preset, experiment or collection does not exist.
    pub async fn completed(self, context: &RequestContext, c: &str) -> ApiResult<CompletedSearch> {
        let (preset, experiment) = (self.body.preset.clone(), self.body.experiment.clone());
        if preset.is_none() && experiment.is_none() {
            return Ok(CompletedSearch {
                request: self.body,
                experiment: None,
                rival: None,
            });
        }
        let c = c.to_owned();
        let settings = context.read(move |database| {
            let collection = database.collection(&c)?;
            let preset = preset.map(|name| collection.setting::<Preset>(&name));
            let experiment = experiment.map(|id| collection.setting::<Experiment>(&id));
            Ok((preset.transpose()?, experiment.transpose()?))
        });
        let (preset, experiment) = settings.await?;
        let fields = preset.map(|preset| preset.search).unwrap_or_default();
        match experiment {
            Some(experiment) => self.in_experiment(&experiment, &fields),
            None => Ok(CompletedSearch {
                request: overlay(&self, fields)?,
                experiment: None,
                rival: None,
            }),
        }
    }

    /// Completes the search with the variant of its user or session over other fields. A search of
    /// neither, or in an experiment that is off, is that of the control and does not count.
    fn in_experiment(
        self,
        experiment: &Experiment,
        fields: &Map<String, Value>,
    ) -> ApiResult<CompletedSearch> {
        let with = |index: usize| {
            let mut fields = fields.clone();
            let variant = experiment.variants.get(index);
            fields.extend(variant.map(|v| v.search.clone()).unwrap_or_default());
            overlay(&self, fields)
        };
        let subject = self.body.user.as_ref().or(self.body.session.as_ref());
        let Some(subject) = subject.filter(|_| experiment.enabled) else {
            return Ok(CompletedSearch {
                request: with(0)?,
                experiment: None,
                rival: None,
            });
        };
        let takes_part = |variant: Option<&str>| {
            Some(ExperimentUse {
                id: experiment.id.clone(),
                variant: variant.map(str::to_owned),
                teams: Vec::new(),
            })
        };
        match experiment.kind {
            ExperimentKind::Split => {
                let index = variant_of(experiment, subject);
                let name = experiment.variants.get(index).map(|v| v.name.as_str());
                Ok(CompletedSearch {
                    request: with(index)?,
                    experiment: takes_part(name),
                    rival: None,
                })
            }
            ExperimentKind::Interleaving => Ok(CompletedSearch {
                request: with(0)?,
                experiment: takes_part(None),
                rival: Some(with(1)?),
            }),
        }
    }
}

fn overlay(
    sent: &BodyWithPresence<SearchRequest>,
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
        overlay(&sent, preset).expect("a search")
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
