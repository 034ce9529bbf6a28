//! Test harness: the app over a fresh data directory.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::Request;
use actix_web::{
    App, HttpResponse,
    body::{MessageBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use serde_json::{Value, json};
use vitrine::{Database, Embedder, Options};
use vitrine_server::{
    app,
    auth::Keys,
    backup::BackupSettings,
    config::{Config, Embedding, Images, Limits},
    embedders::Embedders,
    http::middleware,
    state::AppState,
};

use crate::colors::{Colors, Waiting};

/// Configuration of a test server.
pub struct Setup {
    pub limits: Limits,
    pub keys: Keys,
    pub keys_file: Option<PathBuf>,
    pub models: bool,
    pub models_dir: Option<PathBuf>,
    pub images: Images,
    pub embedding: Embedding,
    pub reports_dir: Option<PathBuf>,
    pub backup: BackupSettings,
    pub allowed_hosts: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Config::default().limits,
            keys: Keys::default(),
            keys_file: None,
            models: true,
            models_dir: None,
            images: Images::default(),
            embedding: Embedding::default(),
            reports_dir: None,
            backup: BackupSettings::default(),
            allowed_hosts: Vec::new(),
        }
    }
}

/// A server to send requests to.
pub struct Api<S> {
    service: S,
    pub waiting: Option<Waiting>,
    _state: OpenState,
    _data: tempfile::TempDir,
}

/// The state of a server. It is closed by the thread of the test: a blocking task may hold it for a
/// moment longer than its request, and RocksDB must not be closed while the process ends.
struct OpenState(web::Data<AppState>);

impl Drop for OpenState {
    fn drop(&mut self) {
        self.0.embedding.stop();
        let patience = Instant::now() + Duration::from_secs(10);
        let state = self.0.clone().into_inner();
        while Arc::strong_count(&state) > 2 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A response that has been read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.and_then(Result::ok).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Returns the body of a successful response.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// Returns the error of a response of the routes that have the form of the OpenAI API.
    pub fn openai_error(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        assert!(
            !text("message").is_empty() && !text("type").is_empty(),
            "{error}"
        );
        assert!(error.get("param").is_some(), "{error}");
        error
    }

    /// Returns the problem of a response with this status and code; checks that it is complete.
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(!problem["detail"].as_str().unwrap_or_default().is_empty());
        problem
    }
}

/// Returns a server with default limits, no keys and the test encoders.
pub async fn api() -> Api<
    impl Service<
        Request,
        Response = ServiceResponse<impl MessageBody + 'static>,
        Error = actix_web::Error,
    >,
> {
    with(Setup::default()).await
}

/// Returns a server.
pub async fn with(
    setup: Setup,
) -> Api<
    impl Service<
        Request,
        Response = ServiceResponse<impl MessageBody + 'static>,
        Error = actix_web::Error,
    >,
> {
    let data = tempfile::tempdir().expect("a folder");
    let options = Options {
        bounds: setup.limits.bounds(),
        ..Options::default()
    };
    let database = Database::open(data.path(), options).expect("a database");
    let (colors, waiting) = Colors::new();
    let embedder = setup.models.then(|| Arc::new(colors) as Arc<dyn Embedder>);
    let find = |fingerprint: &str| Ok(Colors::find(fingerprint));
    let embedders = Embedders::new(embedder, Some(Box::new(find)));
    let config = Config {
        limits: setup.limits,
        keys_file: setup.keys_file,
        models_dir: setup.models_dir,
        images: setup.images,
        embedding: setup.embedding,
        reports_dir: setup.reports_dir,
        backup: setup.backup,
        allowed_hosts: setup.allowed_hosts,
        ..Config::default()
    };
    let state = AppState::new(Arc::new(database), embedders, config, setup.keys);
    let state = web::Data::new(state.expect("a state"));
    let service = App::new()
        .app_data(state.clone())
        .wrap(from_fn(middleware::layer))
        .configure(app::routes)
        .route("/panic", web::get().to(panicking));
    Api {
        service: init_service(service).await,
        waiting: Some(waiting),
        _state: OpenState(state),
        _data: data,
    }
}

async fn panicking() -> String {
    panic!("asked to")
}

/// Builds a request with a JSON body.
pub fn request(method: &str, path: &str, body: &Value) -> TestRequest {
    raw(method, path, "application/json", body.to_string())
}

/// Builds a request with any body.
pub fn raw(method: &str, path: &str, media_type: &str, body: impl Into<web::Bytes>) -> TestRequest {
    let method = method.parse().expect("a method");
    let mut request = TestRequest::with_uri(path).method(method).set_payload(body);
    if !media_type.is_empty() {
        request = request.insert_header(("content-type", media_type.to_owned()));
    }
    request
}

impl<S, B> Api<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody + 'static,
{
    pub async fn send(&self, request: TestRequest) -> Answer {
        read(self.head(request).await).await
    }

    /// Returns the response before its body is read.
    pub async fn head(&self, request: TestRequest) -> HttpResponse {
        // As the HTTP server does with an error that no middleware has handled.
        match self.service.call(request.to_request()).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::with_uri(path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(TestRequest::delete().uri(path)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(request("PUT", path, &body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request("POST", path, &body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(request("PATCH", path, &body)).await
    }

    /// Creates the collection `shop` with three items.
    pub async fn shop(&self) {
        let config = json!({
            "attributes": {"color": "keyword", "sizes": "float", "stock": "integer", "eco": "bool"},
            "vectors": {"shared": {"dim": 3}},
            "fingerprint": "colors-1"
        });
        self.put("/v1/collections/shop", config).await.ok();
        let items = json!([
            {"id": "shoe", "title": "Red shoe", "category": "Clothing > Shoes", "price": {"amount": 80},
             "attributes": {"color": "red"}, "vectors": {"shared": [1, 0, 0]}},
            {"id": "boot", "title": "Green boot", "category": "Clothing > Shoes", "price": {"amount": 120},
             "attributes": {"color": "green"}, "vectors": {"shared": [0.6, 0.8, 0]}},
            {"id": "lamp", "title": "Blue lamp", "category": "Home", "price": {"amount": 30},
             "attributes": {"color": "blue"}, "vectors": {"shared": [0, 0.6, 0.8]}}
        ]);
        let written = self.put("/v1/collections/shop/items", items).await.ok();
        assert_eq!(
            written["summary"],
            json!({"created": 3, "updated": 0, "rejected": 0})
        );
    }
}

/// Media type of imports and their responses.
pub const NDJSON: &str = "application/x-ndjson";

/// Returns the lines of an import response, and the last line separately.
pub fn lines(answer: Answer) -> (Vec<Value>, Value) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), NDJSON);
    let parsed = answer.text.lines().map(serde_json::from_str);
    let mut lines: Vec<Value> = parsed.collect::<Result<_, _>>().expect("JSON a line");
    let last = lines.pop().expect("a last line");
    (lines, last)
}

/// Reads a response to its end.
pub async fn read(response: HttpResponse) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = to_bytes(response.into_body()).await;
    let bytes = bytes.unwrap_or_else(|_| panic!("a body that can be read"));
    Answer {
        status,
        headers,
        text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
    }
}

/// Returns the ids of the hits or items of a response.
pub fn ids(answer: &Value) -> Vec<&str> {
    let list = answer.get("hits").or(answer.get("items"));
    let list = list.and_then(Value::as_array).expect("hits or items");
    list.iter()
        .map(|entry| entry["id"].as_str().expect("an id"))
        .collect()
}

/// Builds a request header.
pub fn header(name: &'static str, value: &str) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(value).expect("a header's value");
    (HeaderName::from_static(name), value)
}
