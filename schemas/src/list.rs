//! Comma-separated lists in query strings: `a,b`, with `\,` for a comma within an entry.

use serde::{Deserialize, Deserializer, Serializer};

/// Serializes a list.
pub fn serialize<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let escaped = list.iter().map(|entry| entry.replace(',', "\\,"));
    serializer.serialize_str(&escaped.collect::<Vec<_>>().join(","))
}

/// Deserializes a list; entries are trimmed.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut list = vec![String::new()];
    let mut rest = text.as_str();
    while let Some(comma) = rest.find(',') {
        let (entry, after) = (&rest[..comma], &rest[comma + 1..]);
        let end = list.len() - 1;
        match entry.strip_suffix('\\') {
            Some(entry) => list[end].extend([entry, ","]),
            None => {
                list[end].push_str(entry);
                list.push(String::new());
            }
        }
        rest = after;
    }
    let end = list.len() - 1;
    list[end].push_str(rest);
    let list = list.into_iter().map(|entry| entry.trim().to_owned());
    Ok(if text.trim().is_empty() {
        Vec::new()
    } else {
        list.collect()
    })
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Params {
        #[serde(with = "super")]
        list: Vec<String>,
    }

    #[test]
    fn commas_separate_entries_unless_escaped() {
        for (text, list) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a > b, c", vec!["a > b", "c"]),
            ("Health\\, Beauty,Home", vec!["Health, Beauty", "Home"]),
            ("a,,b", vec!["a", "", "b"]),
        ] {
            let params: Params =
                serde_json::from_value(serde_json::json!({ "list": text })).expect("a list");
            assert_eq!(params.list, list, "{text}");
        }
        let list = vec!["Health, Beauty".to_owned(), "Home".to_owned()];
        let value = serde_json::to_value(Params { list: list.clone() }).expect("JSON");
        let again: Params = serde_json::from_value(value).expect("a list");
        assert_eq!(again.list, list);
    }
}
