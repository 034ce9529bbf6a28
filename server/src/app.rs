//! Route table: path, methods, required access and handler of each route.

use actix_web::{
    FromRequest, Handler, Resource, Responder, Route,
    dev::{HttpServiceFactory, ServiceRequest},
    guard::fn_guard,
    http::Method,
    middleware::from_fn,
    web,
};

use crate::{
    auth::Action::{Admin, Keys, Read, Write},
    error::ApiError,
    http::access::{self, Access},
    openapi,
    routes::{
        analytics, collections, consent, console, dialogues, docs, embeddings, erasures, events,
        experiments, health, images, import, item_embedding, items, keys, map, models,
        multi_search, presets, privacy, privacy_report, rankers, recommend, reembedding,
        replication, reports, rules, search, snapshots, suggest, synonyms, transcriptions,
        understand, users,
    },
};

/// A path with its methods.
pub struct Entry {
    /// Path pattern.
    pub path: &'static str,
    /// Methods with the access they require and their handlers.
    methods: Vec<(Method, Access, Route)>,
    /// True if other methods belong to the next path that matches.
    is_shared: bool,
}

impl Entry {
    fn new(path: &'static str) -> Self {
        Self {
            path,
            methods: Vec::new(),
            is_shared: false,
        }
    }

    /// Leaves other methods to the next path that matches, so that an item may have the id `count`.
    fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    fn on<F, Args>(mut self, method: Method, access: Access, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::method(method.clone()).to(handler);
        self.methods.push((method, access, route));
        self
    }

    /// Methods of the path.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().map(|(method, ..)| method)
    }

    fn resource(self) -> impl HttpServiceFactory + 'static {
        let allow: Vec<_> = self.methods().map(|m| m.as_str().to_owned()).collect();
        let allow = allow.join(", ");
        let mut resource: Resource = web::resource(self.path);
        if self.is_shared {
            let methods: Vec<_> = self.methods().cloned().collect();
            resource = resource.guard(fn_guard(move |context| {
                methods.contains(&context.head().method)
            }));
        }
        let mut accesses = Vec::new();
        for (method, access, route) in self.methods {
            resource = resource.route(route);
            accesses.push((method, access));
        }
        resource
            .default_service(web::to(move || {
                let error = ApiError::method_not_allowed(allow.clone());
                async move { Err::<String, _>(error) }
            }))
            .wrap(from_fn(move |request: ServiceRequest, next| {
                let access = accesses
                    .iter()
                    .find(|(method, _)| method == request.method())
                    .map_or(Access::Open, |(_, access)| *access);
                access::layer(access, request, next)
            }))
    }
}

/// Returns all routes.
pub fn table() -> Vec<Entry> {
    use Access::{Collection, Everything, Key, Open, Own};
    const GET: Method = Method::GET;
    const PUT: Method = Method::PUT;
    const POST: Method = Method::POST;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        Entry::new("/healthz").on(GET, Open, health::healthz),
        Entry::new("/livez").on(GET, Open, health::livez),
        Entry::new("/readyz").on(GET, Open, health::readyz),
        Entry::new("/metrics").on(GET, Everything(Read), health::metrics),
        Entry::new("/openapi.json").on(GET, Open, openapi::document),
        Entry::new("/docs").on(GET, Open, docs::docs),
        Entry::new("/docs/api").on(GET, Open, docs::api),
        Entry::new("/docs/api/{file:.*}").on(GET, Open, docs::api_file),
        Entry::new("/docs/{page:.*}").on(GET, Open, docs::page),
        Entry::new("/console").on(GET, Open, console::console),
        Entry::new("/console/{file:.*}").on(GET, Open, console::file),
        Entry::new("/v1/aliases")
            .on(GET, Key(Read), collections::aliases)
            .on(POST, Key(Admin), collections::apply),
        Entry::new("/v1/events").on(POST, Key(Write), events::post),
        Entry::new("/v1/events/import").on(POST, Key(Write), events::import),
        Entry::new("/v1/users/{u}").on(DELETE, Key(Admin), users::erase),
        Entry::new("/v1/users/{u}/consent")
            .on(GET, Key(Read), consent::get)
            .on(PUT, Key(Write), consent::put)
            .on(DELETE, Key(Write), consent::delete),
        Entry::new("/v1/sessions/{s}/consent")
            .on(GET, Key(Read), consent::get_of_session)
            .on(PUT, Key(Write), consent::put_of_session)
            .on(DELETE, Key(Write), consent::delete_of_session),
        Entry::new("/v1/users/{u}/export").on(GET, Key(Admin), users::export),
        Entry::new("/v1/sessions/{s}").on(DELETE, Key(Admin), users::erase_session),
        Entry::new("/v1/sessions/{s}/export").on(GET, Key(Admin), users::export_session),
        Entry::new("/v1/users/{u}/privacy").on(GET, Own(Admin), privacy_report::of_user),
        Entry::new("/v1/sessions/{s}/privacy").on(GET, Own(Admin), privacy_report::of_session),
        Entry::new("/v1/privacy/report").on(GET, Everything(Admin), privacy_report::report),
        Entry::new("/v1/erasures/{id}").on(GET, Everything(Admin), erasures::get),
        Entry::new("/v1/tasks/{id}").on(GET, Key(Read), models::task),
        Entry::new("/v1/embeddings").on(POST, Key(Read), embeddings::post),
        Entry::new("/v1/audio/transcriptions").on(POST, Key(Read), transcriptions::post),
        Entry::new("/v1/transcriptions").on(POST, Key(Read), transcriptions::post_short),
        Entry::new("/v1/models").on(GET, Key(Read), embeddings::models),
        Entry::new("/v1/multi_search").on(POST, Key(Read), multi_search::multi_search),
        Entry::new("/v1/dialogues").on(POST, Key(Read), dialogues::begin),
        Entry::new("/v1/dialogues/{d}")
            .on(GET, Key(Read), dialogues::get)
            .on(DELETE, Key(Read), dialogues::delete),
        Entry::new("/v1/dialogues/{d}/turns").on(POST, Key(Read), dialogues::turn),
        Entry::new("/v1/dialogues/{d}/page").on(POST, Key(Read), dialogues::page),
        Entry::new("/v1/reports").on(GET, Everything(Read), reports::list),
        Entry::new("/v1/reports/{r}").on(GET, Everything(Read), reports::get),
        Entry::new("/v1/log_level")
            .on(GET, Everything(Admin), health::log_level)
            .on(PUT, Everything(Admin), health::set_log_level),
        Entry::new("/v1/replication").on(GET, Everything(Read), replication::get),
        Entry::new("/v1/keys")
            .on(GET, Everything(Keys), keys::list)
            .on(POST, Everything(Keys), keys::create),
        Entry::new("/v1/keys/{name}").on(DELETE, Everything(Keys), keys::revoke),
        Entry::new("/v1/keys/{name}/rotate").on(POST, Everything(Keys), keys::rotate),
        Entry::new("/v1/snapshots")
            .on(GET, Everything(Admin), snapshots::list)
            .on(POST, Everything(Admin), snapshots::create),
        Entry::new("/v1/snapshots/{id}").on(DELETE, Everything(Admin), snapshots::delete),
        Entry::new("/v1/collections").on(GET, Key(Read), collections::list),
        Entry::new("/v1/collections/{c}")
            .on(GET, Collection(Read), collections::get)
            .on(PUT, Collection(Admin), collections::put)
            .on(PATCH, Collection(Admin), collections::patch)
            .on(DELETE, Collection(Admin), collections::delete),
        Entry::new("/v1/collections/{c}/health").on(GET, Collection(Read), collections::health),
        Entry::new("/v1/collections/{c}/understand").on(
            POST,
            Collection(Read),
            understand::understand,
        ),
        Entry::new("/v1/collections/{c}/map").on(GET, Collection(Read), map::map),
        Entry::new("/v1/collections/{c}/search").on(POST, Collection(Read), search::search),
        Entry::new("/v1/collections/{c}/suggest").on(GET, Collection(Read), suggest::suggest),
        Entry::new("/v1/collections/{c}/analytics/summary").on(
            GET,
            Collection(Admin),
            analytics::summary,
        ),
        Entry::new("/v1/collections/{c}/analytics/queries").on(
            GET,
            Collection(Admin),
            analytics::queries,
        ),
        Entry::new("/v1/collections/{c}/analytics/positions").on(
            GET,
            Collection(Admin),
            analytics::positions,
        ),
        Entry::new("/v1/collections/{c}/experiments").on(GET, Collection(Read), experiments::list),
        Entry::new("/v1/collections/{c}/experiments/{id}")
            .on(GET, Collection(Read), experiments::get)
            .on(PUT, Collection(Write), experiments::put)
            .on(DELETE, Collection(Write), experiments::delete),
        Entry::new("/v1/collections/{c}/experiments/{id}/results").on(
            GET,
            Collection(Admin),
            experiments::results,
        ),
        Entry::new("/v1/collections/{c}/search_events/export").on(
            GET,
            Collection(Admin),
            analytics::export,
        ),
        Entry::new("/v1/collections/{c}/rules")
            .on(GET, Collection(Read), rules::list)
            .on(PUT, Collection(Write), rules::replace),
        Entry::new("/v1/collections/{c}/rules/test").on(POST, Collection(Read), rules::test),
        Entry::new("/v1/collections/{c}/rules/{id}")
            .on(GET, Collection(Read), rules::get)
            .on(PUT, Collection(Write), rules::put)
            .on(DELETE, Collection(Write), rules::delete),
        Entry::new("/v1/collections/{c}/synonyms")
            .on(GET, Collection(Read), synonyms::list)
            .on(PUT, Collection(Write), synonyms::replace),
        Entry::new("/v1/collections/{c}/synonyms/{id}")
            .on(GET, Collection(Read), synonyms::get)
            .on(PUT, Collection(Write), synonyms::put)
            .on(DELETE, Collection(Write), synonyms::delete),
        Entry::new("/v1/collections/{c}/presets")
            .on(GET, Collection(Read), presets::list)
            .on(PUT, Collection(Write), presets::replace),
        Entry::new("/v1/collections/{c}/presets/{id}")
            .on(GET, Collection(Read), presets::get)
            .on(PUT, Collection(Write), presets::put)
            .on(DELETE, Collection(Write), presets::delete),
        Entry::new("/v1/collections/{c}/stop_words")
            .on(GET, Collection(Read), synonyms::stop_words)
            .on(PUT, Collection(Write), synonyms::put_stop_words),
        Entry::new("/v1/collections/{c}/embedding")
            .on(GET, Collection(Read), item_embedding::list)
            .on(POST, Collection(Write), item_embedding::embed_missing),
        Entry::new("/v1/collections/{c}/items").on(PUT, Collection(Write), items::put),
        Entry::new("/v1/collections/{c}/items/import")
            .on(POST, Collection(Write), import::import)
            .shared(),
        Entry::new("/v1/collections/{c}/items/scroll")
            .on(POST, Collection(Read), items::scroll)
            .shared(),
        Entry::new("/v1/collections/{c}/items/count")
            .on(POST, Collection(Read), items::count)
            .shared(),
        Entry::new("/v1/collections/{c}/facets").on(POST, Collection(Read), items::facets),
        Entry::new("/v1/collections/{c}/items/delete")
            .on(POST, Collection(Write), items::delete_matching)
            .shared(),
        Entry::new("/v1/collections/{c}/items/{id}")
            .on(GET, Collection(Read), items::get)
            .on(PATCH, Collection(Write), items::patch)
            .on(DELETE, Collection(Write), items::delete),
        Entry::new("/v1/collections/{c}/items/{id}/images/{n}").on(
            GET,
            Collection(Read),
            images::get,
        ),
        Entry::new("/v1/collections/{c}/items/{id}/similar").on(
            GET,
            Collection(Read),
            search::similar,
        ),
        Entry::new("/v1/collections/{c}/items/{id}/bought_together").on(
            GET,
            Collection(Read),
            recommend::bought_together,
        ),
        Entry::new("/v1/collections/{c}/recommend").on(
            POST,
            Collection(Read),
            recommend::recommend,
        ),
        Entry::new("/v1/collections/{c}/items/{id}/events").on(
            GET,
            Collection(Admin),
            events::of_item,
        ),
        Entry::new("/v1/collections/{c}/train").on(POST, Collection(Write), models::train),
        Entry::new("/v1/collections/{c}/models").on(GET, Collection(Read), models::list),
        Entry::new("/v1/collections/{c}/models/{version}/activate").on(
            POST,
            Collection(Admin),
            models::activate,
        ),
        Entry::new("/v1/collections/{c}/rankers")
            .on(GET, Collection(Read), rankers::list)
            .on(POST, Collection(Admin), rankers::store),
        Entry::new("/v1/collections/{c}/rankers/features").on(
            POST,
            Collection(Read),
            rankers::features,
        ),
        Entry::new("/v1/collections/{c}/rankers/rollback").on(
            POST,
            Collection(Admin),
            rankers::roll_back,
        ),
        Entry::new("/v1/collections/{c}/rankers/{version}")
            .on(GET, Collection(Read), rankers::get)
            .on(DELETE, Collection(Admin), rankers::delete),
        Entry::new("/v1/collections/{c}/rankers/{version}/activate").on(
            POST,
            Collection(Admin),
            rankers::activate,
        ),
        Entry::new("/v1/collections/{c}/reembedding")
            .on(GET, Collection(Read), reembedding::get)
            .on(POST, Collection(Admin), reembedding::begin)
            .on(DELETE, Collection(Admin), reembedding::end),
        Entry::new("/v1/collections/{c}/reembedding/pending").on(
            GET,
            Collection(Read),
            reembedding::pending,
        ),
        Entry::new("/v1/collections/{c}/reembedding/vectors").on(
            PUT,
            Collection(Write),
            reembedding::fill,
        ),
        Entry::new("/v1/collections/{c}/reembedding/switch").on(
            POST,
            Collection(Admin),
            reembedding::switch,
        ),
        Entry::new("/v1/collections/{c}/reembedding/rollback").on(
            POST,
            Collection(Admin),
            reembedding::roll_back,
        ),
        Entry::new("/v1/collections/{c}/privacy/ledger").on(
            GET,
            Collection(Admin),
            privacy::ledger,
        ),
        Entry::new("/v1/collections/{c}/popular").on(GET, Collection(Read), recommend::popular),
        Entry::new("/v1/collections/{c}/train/blend").on(
            POST,
            Collection(Write),
            recommend::train_blend,
        ),
    ]
}

/// Registers all routes; the caller adds the state and `http::middleware::layer`.
pub fn routes(app: &mut web::ServiceConfig) {
    app.app_data(web::PathConfig::default().error_handler(|e, _| bad_path(&e)));
    for entry in table() {
        app.service(entry.resource());
    }
    app.default_service(web::to(|| async {
        Err::<String, _>(ApiError::route_not_found())
    }));
}

fn bad_path(error: &dyn std::fmt::Display) -> actix_web::Error {
    ApiError::invalid("", format!("path: {error}")).into()
}
