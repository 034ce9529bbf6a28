//! Settings of a collection in a file: rules, synonyms, stop words and presets, in the server's
//! format.

use std::{fmt, fs, path::Path};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};
use vitrine_schemas::{Preset, Presets, Rule, Rules, StopWords, Synonym, Synonyms};

use crate::sink::{HttpSink, SinkError};

/// Errors of reading, sending or fetching settings.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SettingsError {
    #[error("{file}: {source}")]
    File {
        file: String,
        source: std::io::Error,
    },
    /// Names the line in `detail` and the field in `pointer`.
    #[error("{file}: {pointer}: {detail}")]
    Malformed {
        file: String,
        pointer: String,
        detail: String,
    },
    #[error("{file}: line {line}: {detail}")]
    Rejected {
        file: String,
        line: usize,
        detail: String,
    },
    #[error(transparent)]
    Server(#[from] SinkError),
}

/// Settings of a file; those that are absent stay unchanged on the server.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Replaces all rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// Replaces all synonyms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synonyms: Option<Vec<Synonym>>,
    /// Replaces the stop words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_words: Option<StopWords>,
    /// Replaces all presets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presets: Option<Vec<Preset>>,
}

/// Number of settings set, by kind.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct PushSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synonyms: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_words: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presets: Option<usize>,
}

/// Replaces the settings of a collection with those of a file, each kind in one step.
///
/// # Errors
/// The file cannot be read, or the server rejects a setting: the message names line and field.
pub fn push(path: &Path, server: &HttpSink) -> Result<PushSummary, SettingsError> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|source| SettingsError::File {
        file: file.clone(),
        source,
    })?;
    let settings = read(&file, &text)?;
    let put = |kind: &str, body: Value| {
        server
            .put_setting(kind, &body)
            .map_err(|error| match error {
                SinkError::Rejected {
                    pointer: Some(pointer),
                    detail,
                    ..
                } => {
                    let within = if kind == "stop_words" {
                        "/stop_words"
                    } else {
                        ""
                    };
                    SettingsError::Rejected {
                        file: file.clone(),
                        line: line_of(&text, &format!("{within}{pointer}")),
                        detail,
                    }
                }
                other => other.into(),
            })
    };
    let mut summary = PushSummary::default();
    // Presets last: storefronts may use them in their next request, with the rules already in
    // place.
    if let Some(words) = settings.stop_words {
        summary.stop_words = Some(words.words.len());
        put("stop_words", json!(words))?;
    }
    if let Some(synonyms) = settings.synonyms {
        summary.synonyms = Some(synonyms.len());
        put("synonyms", json!(Synonyms { synonyms }))?;
    }
    if let Some(rules) = settings.rules {
        summary.rules = Some(rules.len());
        put("rules", json!(Rules { rules }))?;
    }
    if let Some(presets) = settings.presets {
        summary.presets = Some(presets.len());
        put("presets", json!(Presets { presets }))?;
    }
    Ok(summary)
}

/// Returns all settings of a collection, in the format of a file.
///
/// # Errors
/// The server cannot be reached, or rejects the request.
pub fn pull(server: &HttpSink) -> Result<Settings, SinkError> {
    let rules: Rules = server.setting("rules")?;
    let synonyms: Synonyms = server.setting("synonyms")?;
    let presets: Presets = server.setting("presets")?;
    Ok(Settings {
        rules: Some(rules.rules),
        synonyms: Some(synonyms.synonyms),
        stop_words: Some(server.setting("stop_words")?),
        presets: Some(presets.presets),
    })
}

fn read(file: &str, text: &str) -> Result<Settings, SettingsError> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    let settings = serde_path_to_error::deserialize(reader).map_err(|e| {
        let path = e.path().to_string();
        SettingsError::Malformed {
            file: file.to_owned(),
            pointer: format!("/{}", path.replace(['.', '['], "/").replace(']', "")),
            detail: e.into_inner().to_string(),
        }
    })?;
    Ok(settings)
}

/// Returns the line of the value at a JSON pointer, or of its deepest ancestor that exists; 1 if
/// the text is not JSON.
fn line_of(text: &str, pointer: &str) -> usize {
    let steps: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect();
    let mut line = 1;
    for depth in 0..=steps.len() {
        let mut reader = serde_json::Deserializer::from_str(text);
        // The position of the error that ends the descent is that of the value.
        match To(&steps[..depth]).deserialize(&mut reader) {
            Err(error) if error.is_data() => line = error.line(),
            _ => break,
        }
    }
    line
}

/// Descends to a value and fails there: the value is deserialized as a bool, whatever it is, so
/// that nothing of it is consumed.
struct To<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for To<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.0.is_empty() {
            deserializer.deserialize_bool(self)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for To<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom("reached"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else {
            return Ok(());
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *step {
                return map.next_value_seed(To(rest));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else {
            return Ok(());
        };
        for _ in 0..step.parse().unwrap_or(usize::MAX) {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        seq.next_element_seed(To(rest)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
  "stop_words": {"words": ["a",
    "b"]},
  "rules": [
    {"id": "one", "then": {"hide": ["x"]}},
    {
      "id": "two",
      "then": {
        "pin": [
          {"id": "x", "position": 0}
        ]
      }
    }
  ]
}"#;

    #[test]
    fn the_line_of_a_field_is_found() {
        for (pointer, line) in [
            ("", 1),
            ("/stop_words/words/1", 3),
            ("/rules/0/then", 5),
            ("/rules/1/id", 7),
            ("/rules/1/then/pin/0/position", 10),
            ("/rules/1/when/query", 6),
            ("/rules/9", 4),
        ] {
            let found = line_of(FILE, pointer);
            assert_eq!(found, line, "{pointer}");
        }
        assert_eq!(line_of("no JSON", "/x"), 1);
    }

    #[test]
    fn an_error_of_the_file_names_line_and_field() {
        let text = FILE.replace("\"position\": 0", "\"position\": \"top\"");
        let error = read("f.json", &text).expect_err("refused").to_string();
        assert!(error.contains("/rules/1/then/pin/0/position"), "{error}");
        assert!(error.contains("line 10"), "{error}");
        let error = read("f.json", "{\"rule\": []}").expect_err("refused");
        assert!(
            error.to_string().contains("unknown field `rule`"),
            "{error}"
        );
        assert!(read("f.json", FILE).is_ok());
    }
}
