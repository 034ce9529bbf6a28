//! The OpenAPI document, generated from the annotations of the handlers and the wire types.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Object, RefOr, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use vitrine_schemas::{
    Condition, Filter, Match, OpenAiProblem, Problem, QueryOrder, QuerySelection, Range, Scalar,
    Scope,
    filter::{FieldKey, HasIdCondition, IsEmptyCondition, MatchCondition, RangeCondition},
};

use crate::routes::{
    analytics, collections, consent, dialogues, embeddings, erasures, events, experiments, health,
    images, import, item_embedding, items, keys, map, models, multi_search, presets, privacy,
    privacy_report, rankers, recommend, reembedding, replication, reports, rules, search,
    snapshots, suggest, synonyms, transcriptions, understand, users,
};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vitrine",
        description = "Vector search database for products. Errors are problem details (RFC 9457) with a stable `code`. \
            Send `Authorization: Bearer KEY`; a server without keys is open. \
            The header `x-timeout-ms` (1 to `limits.max_timeout_ms`) limits the time of a request; \
            `x-request-id` is echoed, or generated if absent. \
            With replication, responses carry `x-vitrine-version`, and a read with `x-vitrine-min-version` waits \
            until that version is served."
    ),
    paths(
        collections::list, collections::put, collections::patch, collections::get, collections::delete,
        collections::health,
        collections::aliases, collections::apply,
        items::put, items::get, items::patch, items::delete, items::scroll, items::count, items::delete_matching, items::facets,
        item_embedding::list, item_embedding::embed_missing,
        images::get,
        import::import,
        search::search, search::similar, multi_search::multi_search, suggest::suggest,
        dialogues::begin, dialogues::get, dialogues::delete, dialogues::turn, dialogues::page, understand::understand, map::map,
        recommend::recommend, recommend::bought_together, recommend::popular, recommend::train_blend,
        reembedding::get, reembedding::begin, reembedding::end, reembedding::pending, reembedding::fill,
        reembedding::switch, reembedding::roll_back,
        privacy::ledger, privacy_report::report, privacy_report::of_user, privacy_report::of_session,
        models::train, models::list, models::activate, models::task,
        rankers::list, rankers::store, rankers::get, rankers::delete, rankers::activate, rankers::roll_back, rankers::features,
        events::post, events::import, events::of_item,
        experiments::list, experiments::get, experiments::put, experiments::delete, experiments::results,
        analytics::summary, analytics::queries, analytics::positions, analytics::export,
        users::export, users::erase, users::export_session, users::erase_session, erasures::get,
        consent::get, consent::put, consent::delete,
        consent::get_of_session, consent::put_of_session, consent::delete_of_session,
        embeddings::post, embeddings::models, transcriptions::post, transcriptions::post_short,
        reports::list, reports::get,
        snapshots::list, snapshots::create, snapshots::delete,
        keys::list, keys::create, keys::rotate, keys::revoke, replication::get,
        rules::list, rules::replace, rules::test, rules::get, rules::put, rules::delete,
        synonyms::list, synonyms::replace, synonyms::get, synonyms::put, synonyms::delete,
        synonyms::stop_words, synonyms::put_stop_words,
        presets::list, presets::replace, presets::get, presets::put, presets::delete,
        health::healthz, health::livez, health::readyz, health::metrics, health::log_level, health::set_log_level,
        document,
    ),
    components(schemas(
        Condition, FieldKey, Filter, HasIdCondition, IsEmptyCondition, Match, MatchCondition, OpenAiProblem, Problem,
        QueryOrder, QuerySelection, Range, RangeCondition, Scalar, Scope,
    )),
    security((), ("key" = [])),
    modifiers(&BearerKey, &MergeFlattened),
    tags(
        (name = "collections", description = "Item schemas and vector spaces"),
        (name = "aliases", description = "Alternative names of collections, switched atomically"),
        (name = "items", description = "Write, read, count and delete items"),
        (name = "reembedding", description = "Move a live collection to other encoders"),
        (name = "search", description = "Full-text, vector and hybrid search with filters and facets"),
        (name = "dialogues", description = "Searches refined turn by turn in natural language"),
        (name = "settings", description = "Merchandising rules, synonyms, stop words and presets"),
        (name = "recommendations", description = "Recommendations from behavior and content, with reasons"),
        (name = "models", description = "Models trained on events"),
        (name = "events", description = "Behavior events"),
        (name = "analytics", description = "Recorded searches and what followed from them; experiments"),
        (name = "privacy", description = "What is stored about people; what private collections released, and their budgets"),
        (name = "users", description = "Consent of users and sessions; export or erase their data"),
        (name = "embeddings", description = "OpenAI-compatible embeddings"),
        (name = "speech", description = "OpenAI-compatible transcriptions"),
        (name = "keys", description = "API keys of this server"),
        (name = "reports", description = "Evaluation reports"),
        (name = "operations", description = "Health, metrics, snapshots and this document"),
    ),
)]
pub struct Document;

/// Returns the document as it is committed and served.
pub fn text() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
}

/// Adds the security scheme of API keys.
struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Merges the `allOf` of a flattened struct into one object: if the inner object forbids other
/// fields, no value would match both.
struct MergeFlattened;

impl Modify for MergeFlattened {
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

/// OpenAPI document
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub async fn document() -> HttpResponse {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    HttpResponse::Ok()
        .content_type("application/json")
        .body(TEXT.as_str())
}
