//! The description of the API, made from the handlers' annotations and the wire types.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::{
        ContentBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use vitrine_schemas::{
    Condition, Filter, Match, Problem, Range, Scalar, Scope,
    filter::{FieldKey, HasIdCondition, IsEmptyCondition, MatchCondition, RangeCondition},
};

use crate::routes::{
    collections, dialogues, docs, embeddings, events, health, images, import, items, map, models,
    multi_search, presets, recommend, reembedding, reports, rules, search, synonyms, understand,
    users,
};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vitrine",
        description = "Vector search for products. Errors are problem details (RFC 9457) with a stable `code`. \
            A server without keys is open; otherwise send `Authorization: Bearer KEY`. \
            The header `x-timeout-ms` (1 to 600000) bounds the time of a request; \
            `x-request-id` is echoed, or made where it is absent."
    ),
    paths(
        collections::list, collections::put, collections::patch, collections::get, collections::delete,
        collections::aliases, collections::apply,
        items::put, items::get, items::patch, items::delete, items::scroll, items::count, items::delete_matching, items::facets,
        images::get,
        import::import,
        search::search, search::similar, multi_search::multi_search,
        dialogues::begin, dialogues::get, dialogues::delete, dialogues::turn, dialogues::page, understand::understand, map::map,
        recommend::recommend, recommend::bought_together, recommend::popular, recommend::train_blend,
        reembedding::get, reembedding::begin, reembedding::end, reembedding::pending, reembedding::fill,
        reembedding::switch, reembedding::roll_back,
        models::train, models::list, models::activate, models::task,
        events::post, events::import, events::of_item,
        users::export, users::erase, users::export_session, users::erase_session,
        embeddings::post,
        reports::list, reports::get,
        rules::list, rules::replace, rules::test, rules::get, rules::put, rules::delete,
        synonyms::list, synonyms::replace, synonyms::get, synonyms::put, synonyms::delete,
        synonyms::stop_words, synonyms::put_stop_words,
        presets::list, presets::replace, presets::get, presets::put, presets::delete,
        health::healthz, health::livez, health::readyz, health::metrics,
        docs::description,
    ),
    components(schemas(
        Condition, FieldKey, Filter, HasIdCondition, IsEmptyCondition, Match, MatchCondition, Problem, Range,
        RangeCondition, Scalar, Scope,
    )),
    security((), ("key" = [])),
    modifiers(&Key, &Flat),
    tags(
        (name = "collections", description = "Schemas of items and their vector spaces"),
        (name = "aliases", description = "Second names of collections, changed in one step"),
        (name = "items", description = "Write, read, count, delete"),
        (name = "reembedding", description = "From one set of encoders to another, while it serves"),
        (name = "search", description = "Nearest neighbours with filters"),
        (name = "dialogues", description = "Searches refined turn by turn"),
        (name = "settings", description = "What a shop wants of its answers"),
        (name = "recommendations", description = "From behaviour and content, with reasons"),
        (name = "models", description = "What was learned from events"),
        (name = "events", description = "What shoppers did"),
        (name = "users", description = "What is stored of a user, to be given out or erased"),
        (name = "embeddings", description = "In the form of the OpenAI API"),
        (name = "reports", description = "What evaluations found"),
        (name = "operations", description = "Health, metrics, this description"),
    ),
)]
pub struct Document;

/// The document as committed and served.
pub fn text() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
}

struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// A flattened struct is described as all of two objects. Where the inner one takes no other fields, no value would fit
/// both: so they are made one.
struct Flat;

impl Modify for Flat {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let Some(components) = &mut document.components else {
            return;
        };
        let schemas = components.schemas.clone();
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::AllOf(parts)) = schema {
                let mut whole = Object::new();
                whole.description = parts.description.clone();
                for part in &parts.items {
                    let part = match part {
                        RefOr::Ref(to) => to
                            .ref_location
                            .rsplit('/')
                            .next()
                            .and_then(|n| schemas.get(n)),
                        part => Some(part),
                    };
                    if let Some(RefOr::T(Schema::Object(part))) = part {
                        whole.properties.extend(part.properties.clone());
                        whole.required.extend(part.required.clone());
                    }
                }
                *schema = Schema::Object(whole).into();
            }
        }
    }
}

/// Groups of error answers: a route names the groups that fit it.
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
    /// Of every route that keys guard.
    Keyed {
        "400" "The request is at fault; `errors` points at the fields",
        "401" "No valid key",
        "403" "The key does not grant this",
        "500" "The server failed; its log has the cause under the request id",
    }
    /// Of work that is bounded.
    Gated {
        "429" "Too many requests of this kind; try again after `retry-after`",
        "504" "The deadline passed",
    }
    /// Of routes with a body.
    Bodied {
        "408" "The body stopped coming",
        "413" "The body is too large",
        "415" "The media type is not taken",
    }
    /// Of writes that take memory and disk.
    Stored { "507" "It would pass a bound on memory or disk; nothing of it was stored" }
    /// Of routes that name a collection, an item or an alias.
    Named { "404" "No such collection, item, alias or setting" }
    /// Of changes that may clash with what is there.
    Conflicting { "409" "It clashes with what is there" }
    /// Of work for the encoders.
    Encoded { "503" "The server has no encoders" }
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
        .into()
}
