//! Settings of a collection in a file: rules, synonyms, stop words, presets, as the server takes them.

use std::{fmt, fs, path::Path};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};
use vitrine_schemas::{Preset, Presets, Rule, Rules, StopWords, Synonym, Synonyms};

use crate::sink::{HttpSink, SinkError};

/// What cannot be done with a file of settings.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SettingsError {
    #[error("{file}: {source}")]
    File {
        file: String,
        source: std::io::Error,
    },
    /// The fault has its line, the pointer its field.
    #[error("{file}: {pointer}: {detail}")]
    Malformed {
        file: String,
        pointer: String,
        detail: String,
    },
    #[error("{file}: line {line}: {detail}")]
    Refused {
        file: String,
        line: usize,
        detail: String,
    },
    #[error(transparent)]
    Server(#[from] SinkError),
}

/// Settings; what is absent stays as it is.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// In the place of all rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// In the place of all synonyms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synonyms: Option<Vec<Synonym>>,
    /// In the place of the stop words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_words: Option<StopWords>,
    /// In the place of all presets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presets: Option<Vec<Preset>>,
}

/// How many of each were set.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synonyms: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_words: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presets: Option<usize>,
}

/// Puts the settings of a file in the place of a collection's, each kind in one step.
///
/// # Errors
/// The file cannot be read, or the server refuses something of it: the message names line and field.
pub fn push(path: &Path, server: &HttpSink) -> Result<Pushed, SettingsError> {
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
                SinkError::Refused {
                    pointer: Some(pointer),
                    detail,
                    ..
                } => {
                    let within = if kind == "stop_words" {
                        "/stop_words"
                    } else {
                        ""
                    };
                    SettingsError::Refused {
                        file: file.clone(),
                        line: line_of(&text, &format!("{within}{pointer}")),
                        detail,
                    }
                }
                other => other.into(),
            })
    };
    let mut pushed = Pushed::default();
    // Presets last: they may be what storefronts ask for next.
    if let Some(words) = settings.stop_words {
        pushed.stop_words = Some(words.words.len());
        put("stop_words", json!(words))?;
    }
    if let Some(synonyms) = settings.synonyms {
        pushed.synonyms = Some(synonyms.len());
        put("synonyms", json!(Synonyms { synonyms }))?;
    }
    if let Some(rules) = settings.rules {
        pushed.rules = Some(rules.len());
        put("rules", json!(Rules { rules }))?;
    }
    if let Some(presets) = settings.presets {
        pushed.presets = Some(presets.len());
        put("presets", json!(Presets { presets }))?;
    }
    Ok(pushed)
}

/// All settings of a collection, as a file holds them.
///
/// # Errors
/// The server cannot be reached, or refuses it.
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

/// The line of the value that a JSON pointer leads to, or as far as it leads; 1 in a text that is no JSON.
fn line_of(text: &str, pointer: &str) -> usize {
    let steps: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect();
    let mut line = 1;
    for depth in 0..=steps.len() {
        let mut reader = serde_json::Deserializer::from_str(text);
        // The fault that the walk ends with is where it ended.
        match To(&steps[..depth]).deserialize(&mut reader) {
            Err(fault) if fault.is_data() => line = fault.line(),
            _ => break,
        }
    }
    line
}

/// Walks down a value, and ends with a fault at what it leads to: whatever that is, it is asked for as a bool, so that nothing
/// of it is read before.
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
        Err(E::custom("here it is"))
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
    fn a_fault_of_the_file_names_line_and_field() {
        let text = FILE.replace("\"position\": 0", "\"position\": \"top\"");
        let fault = read("f.json", &text).expect_err("refused").to_string();
        assert!(fault.contains("/rules/1/then/pin/0/position"), "{fault}");
        assert!(fault.contains("line 10"), "{fault}");
        let fault = read("f.json", "{\"rule\": []}").expect_err("refused");
        assert!(
            fault.to_string().contains("unknown field `rule`"),
            "{fault}"
        );
        assert!(read("f.json", FILE).is_ok());
    }
}
