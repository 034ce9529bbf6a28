//! Errors as problem details. The one place where an engine error becomes an HTTP status.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use vitrine::EmbedError;
use vitrine_schemas::{FieldError, Problem};

tokio::task_local! {
    /// Id of the request being served.
    pub static REQUEST_ID: String;
}

/// Id of the request being served, empty outside of one.
pub fn current_request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// An error answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong and the mend.
    pub detail: String,
    /// Faults by field.
    pub errors: Vec<FieldError>,
    /// Id of the request it belongs to.
    pub request_id: String,
    /// Value of the `Allow` header of a 405.
    pub allow: Option<String>,
}

/// Result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error without field faults.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            request_id: current_request_id(),
            allow: None,
        }
    }

    /// A 400 at one field; an empty pointer is the whole.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        vitrine::Error::invalid(pointer, detail).into()
    }

    /// A 404 of a dialogue.
    pub fn dialogue_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "dialogue_not_found",
            "no such dialogue, or nobody went on with it for too long; send the `dialogue` of its last answer as `resume`",
        )
    }

    /// A 409 of a dialogue in which another turn came first.
    pub fn dialogue_changed() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "dialogue_changed",
            "another turn was answered meanwhile; look at the state and send this one again",
        )
    }

    /// A 404 of a path that leads nowhere.
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            "no such route; /docs lists them all",
        )
    }

    /// A 405 that names the methods there are.
    pub fn method_not_allowed(allow: String) -> Self {
        Self {
            allow: Some(allow.clone()),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("use {allow}"),
            )
        }
    }

    /// A 500 that tells the caller nothing but the request id; the cause goes to the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed; the cause is in its log under this request id",
        );
        tracing::error!(request_id = %error.request_id, %cause, "request failed");
        error
    }

    /// The deadline passed.
    pub fn deadline() -> Self {
        vitrine::Error::DeadlineExceeded.into()
    }

    /// The error with its pointers below another place: for a part of a body that was read apart.
    pub fn below(mut self, at: &str) -> Self {
        for error in &mut self.errors {
            error.pointer.insert_str(0, at);
        }
        self
    }

    /// The error with its pointers at one place: for faults of what was made of that.
    pub fn at(mut self, place: &str) -> Self {
        for error in &mut self.errors {
            place.clone_into(&mut error.pointer);
        }
        self
    }

    /// The body of the answer.
    pub fn problem(&self) -> Problem {
        Problem {
            r#type: format!("urn:vitrine:{}", self.code),
            title: self.code.replace('_', " "),
            status: self.status.as_u16(),
            code: self.code.into(),
            detail: self.detail.clone(),
            request_id: self.request_id.clone(),
            errors: self.errors.clone(),
        }
    }
}

fn status_of(error: &vitrine::Error) -> StatusCode {
    use vitrine::Error as E;
    match error {
        E::Invalid(_) | E::NoVector { .. } | E::Embed(EmbedError::Input(_)) => {
            StatusCode::BAD_REQUEST
        }
        E::CollectionNotFound(_)
        | E::ItemNotFound(_)
        | E::SettingNotFound { .. }
        | E::NoReembedding => StatusCode::NOT_FOUND,
        E::AlreadyExists(_)
        | E::FingerprintMismatch { .. }
        | E::ReembeddingExists(_)
        | E::NotReembedded { .. } => StatusCode::CONFLICT,
        E::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        E::Embed(EmbedError::Unavailable(_)) | E::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        E::Unsettled { .. } => StatusCode::TOO_MANY_REQUESTS,
        E::OutOfMemory { .. } | E::MemoryFull { .. } | E::DiskFull { .. } => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        E::Embed(EmbedError::Model(_))
        | E::UnsupportedFormat { .. }
        | E::Locked(_)
        | E::Corrupt { .. }
        | E::Lexical(_)
        | E::Storage(_)
        | E::Io { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<vitrine::Error> for ApiError {
    fn from(error: vitrine::Error) -> Self {
        let status = status_of(&error);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            return Self::internal(&error);
        }
        let mut api = Self::new(status, error.code(), error.to_string());
        if let vitrine::Error::Invalid(errors) = error {
            api.errors = errors;
        }
        api
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        response.insert_header(("x-request-id", self.request_id.clone()));
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.clone()));
        }
        response.body(serde_json::to_vec(&self.problem()).unwrap_or_default())
    }
}
