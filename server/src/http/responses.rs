//! Groups of error responses of the OpenAPI document: a route lists the groups that apply to it.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

/// Declares groups of error responses.
macro_rules! problems {
    ($($(#[$doc:meta])* $group:ident { $($status:literal $description:literal),+ $(,)? })+) => { $(
        $(#[$doc])*
        pub struct $group;

        impl IntoResponses for $group {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status.to_owned(), problem($description))),+].into()
            }
        }
    )+ };
}

problems! {
    /// Errors of every route that requires a key.
    AuthErrors {
        "400" "Invalid request; `errors` names the fields",
        "401" "Missing or invalid key",
        "403" "The key does not grant this action on this collection, or a page of another site asks",
        "421" "Without keys: the host is not this machine's",
        "500" "Internal server error; the log has the cause under the request id",
    }
    /// Errors of work with a concurrency limit.
    OverloadErrors {
        "429" "Too many concurrent requests of this kind; retry after `retry-after` seconds",
        "504" "Deadline exceeded",
    }
    /// Errors of routes with a body.
    BodyErrors {
        "408" "Timeout while receiving the body",
        "413" "The body is longer than the limit",
        "415" "Unsupported media type",
        "429" "Too many concurrent requests of this kind; retry after `retry-after` seconds",
        "503" "The server stops",
    }
    /// Errors of writes that need memory and disk.
    StorageErrors { "507" "A memory or disk limit would be exceeded; nothing was stored" }
    /// Errors of routes that name a collection, item, alias or setting.
    NotFoundErrors { "404" "No such collection, item, alias or setting" }
    /// Errors of changes that may conflict with the current state.
    ConflictErrors { "409" "Conflict with the current state" }
    /// Errors of changes with a condition.
    ConditionErrors { "412" "The stored version does not meet `if-match` or `if-none-match`" }
    /// Errors of routes that use the encoders.
    EncoderErrors { "503" "The server has no encoders; start it with --models-dir" }
}

/// Errors in the form of the OpenAI API.
pub struct OpenAiErrors;

impl IntoResponses for OpenAiErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let described = [
            ("400", "Invalid request; `param` names the field"),
            ("401", "Missing or invalid key"),
            ("403", "The key does not grant this action"),
            ("408", "Timeout while receiving the body"),
            ("413", "The body is longer than the limit"),
            ("415", "Unsupported media type"),
            ("421", "Without keys: the host is not this machine's"),
            (
                "429",
                "Too many concurrent requests; retry after `retry-after` seconds",
            ),
            ("500", "Internal server error; the log has the cause"),
            (
                "503",
                "The server has no encoders; start it with --models-dir",
            ),
            ("504", "Deadline exceeded"),
        ];
        let response = |(status, text): (&str, &str)| {
            let response = error(text, "application/json", "OpenAiProblem");
            (status.to_owned(), response)
        };
        described.into_iter().map(response).collect()
    }
}

fn problem(description: &str) -> RefOr<Response> {
    error(description, "application/problem+json", "Problem")
}

fn error(description: &str, media_type: &str, schema: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name(schema);
    ResponseBuilder::new()
        .description(description)
        .content(
            media_type,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
        .into()
}
