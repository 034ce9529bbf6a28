//! Limits of JSON bodies by route: bytes, and JSON values, since a short list of zeros takes a
//! hundred times its bytes once it is parsed.

use actix_web::{HttpRequest, http::Method};

/// Limits of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    /// Bytes.
    pub bytes: usize,
    /// JSON values.
    pub values: usize,
}

/// Requests without bulk data.
const SMALL: BodyLimit = BodyLimit {
    bytes: 1 << 20,
    values: 50_000,
};

/// Searches, which may hold an image and a vector.
const SEARCH: BodyLimit = BodyLimit {
    bytes: 16 << 20,
    values: 100_000,
};

/// A form with a recording.
const RECORDING: BodyLimit = BodyLimit {
    bytes: 11 << 20,
    values: 0,
};

/// Several searches.
const MULTI_SEARCH: BodyLimit = BodyLimit {
    bytes: 16 << 20,
    values: 500_000,
};

/// Lists of settings, schemas, and an item.
const SETTINGS: BodyLimit = BodyLimit {
    bytes: 16 << 20,
    values: 500_000,
};

/// Items, events, vectors, texts to embed, and trained models.
const BULK: BodyLimit = BodyLimit {
    bytes: 32 << 20,
    values: 4_000_000,
};

/// Returns the limits of a request's body; `limits.body_bytes` may be lower.
pub fn of(request: &HttpRequest, body_bytes: usize) -> BodyLimit {
    let pattern = request.match_pattern().unwrap_or_default();
    let limit = by_route(request.method(), &pattern);
    let bytes = if limit == BULK {
        body_bytes
    } else {
        limit.bytes.min(body_bytes)
    };
    BodyLimit { bytes, ..limit }
}

fn by_route(method: &Method, pattern: &str) -> BodyLimit {
    let route = pattern.strip_prefix("/v1").unwrap_or_default();
    let route = route.strip_prefix("/collections/{c}").unwrap_or(route);
    match (method.as_str(), route) {
        ("PUT", "/items") | ("PUT", "/reembedding/vectors") | ("POST", "/rankers") => BULK,
        ("POST", "/events") | ("POST", "/embeddings") => BULK,
        ("POST", "/audio/transcriptions" | "/transcriptions") => RECORDING,
        ("POST", "/multi_search") => MULTI_SEARCH,
        ("POST", "/search" | "/rankers/features" | "/rules/test") => SEARCH,
        ("POST", "/dialogues" | "/dialogues/{d}/turns" | "/dialogues/{d}/page") => SEARCH,
        ("PUT" | "PATCH", _) => SETTINGS,
        _ => SMALL,
    }
}

/// Returns the number of JSON values of a text, by its commas and brackets outside of strings; of a
/// text that is not JSON, some number.
pub fn count_values(text: &[u8]) -> usize {
    let (mut count, mut is_string, mut is_escaped) = (1, false, false);
    for byte in text {
        if is_string {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => is_string = true,
                b',' | b'[' | b'{' => count += 1,
                _ => {}
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, count) in [
            ("{}", 2),
            ("[1, 2, 3]", 4),
            (r#"{"a": "x, [y], \", {z}", "b": [1]}"#, 4),
            ("", 1),
        ] {
            assert_eq!(count_values(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn each_kind_of_route_has_its_limits() {
        for (method, route, limit) in [
            (Method::PUT, "/v1/collections/{c}/items", BULK),
            (Method::POST, "/v1/collections/{c}/search", SEARCH),
            (Method::POST, "/v1/collections/{c}/items/count", SMALL),
            (Method::POST, "/v1/collections/{c}/facets", SMALL),
            (Method::PUT, "/v1/collections/{c}/rules", SETTINGS),
            (Method::PUT, "/v1/collections/{c}", SETTINGS),
            (Method::POST, "/v1/audio/transcriptions", RECORDING),
            (Method::POST, "/v1/aliases", SMALL),
        ] {
            assert_eq!(by_route(&method, route), limit, "{method} {route}");
        }
    }
}
