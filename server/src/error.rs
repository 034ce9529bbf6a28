//! Errors as RFC 9457 problem details. The only place that maps engine errors to HTTP statuses.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use vitrine::EmbedError;
use vitrine_schemas::{FieldError, OpenAiError, OpenAiProblem, Problem};

tokio::task_local! {
    /// Id of the request being served.
    pub static REQUEST_ID: String;
    /// Form of the error responses to the request being served.
    pub static ERROR_FORM: ErrorForm;
}

/// Form of error responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorForm {
    /// Problem details (RFC 9457).
    #[default]
    Problem,
    /// The form that clients of the OpenAI API read.
    OpenAi,
}

impl ErrorForm {
    /// Returns the form of a route's errors.
    pub fn of(path: &str) -> Self {
        match path {
            "/v1/embeddings" | "/v1/models" => Self::OpenAi,
            "/v1/audio/transcriptions" | "/v1/transcriptions" => Self::OpenAi,
            _ => Self::Problem,
        }
    }
}

/// Returns the id of the request being served; empty outside of a request.
pub fn current_request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// An error response.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code.
    pub code: &'static str,
    /// Cause and hint.
    pub detail: String,
    /// Errors by field.
    pub errors: Vec<FieldError>,
    /// Id of the request.
    pub request_id: String,
    /// Value of the `Allow` header of a 405.
    pub allow: Option<String>,
}

/// Result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// Creates an error without field errors.
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

    /// 400 for one field; an empty pointer stands for the whole body.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        vitrine::Error::invalid(pointer, detail).into()
    }

    /// 401: no valid key.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "a valid key is required; send `Authorization: Bearer KEY`",
        )
    }

    /// 401: a user token that is not valid.
    pub fn invalid_token(reason: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            format!("the user token is not valid: {reason}"),
        )
    }

    /// 403: a user token does not open the route.
    pub fn not_for_users() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "user tokens open search, recommend, similar, bought_together, popular, storing events, consent and the own privacy report only",
        )
    }

    /// 403: the key does not grant the action.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "the key does not grant this action on this collection",
        )
    }

    /// 404: no such dialogue.
    pub fn dialogue_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "dialogue_not_found",
            "no such dialogue, or it expired; send the `dialogue` of its last response as `resume`",
        )
    }

    /// 409: the dialogue was changed by a concurrent turn.
    pub fn dialogue_changed() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "dialogue_changed",
            "the dialogue was changed by a concurrent turn; get its state and send this turn again",
        )
    }

    /// 429: all permits of a kind are in use.
    pub fn overloaded() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "overloaded",
            "too many concurrent requests of this kind; retry after one second",
        )
    }

    /// 404: no such route.
    pub fn route_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "route_not_found",
            "no such route; see /docs/api for all routes",
        )
    }

    /// 405 with the supported methods.
    pub fn method_not_allowed(allow: String) -> Self {
        Self {
            allow: Some(allow.clone()),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                format!("the method is not supported here; use {allow}"),
            )
        }
    }

    /// 500 that shows the caller only the request id; the cause is logged.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal server error; the server log has the cause under this request id",
        );
        tracing::error!(request_id = %error.request_id, %cause, "request failed");
        error
    }

    /// 504: the deadline passed.
    pub fn deadline() -> Self {
        vitrine::Error::DeadlineExceeded.into()
    }

    /// Prefixes all pointers; for a part of a body that was parsed separately.
    pub fn below(mut self, prefix: &str) -> Self {
        for error in &mut self.errors {
            error.pointer.insert_str(0, prefix);
        }
        self
    }

    /// Replaces all pointers by one; for errors of something derived from that field.
    pub fn with_pointer(mut self, pointer: &str) -> Self {
        for error in &mut self.errors {
            pointer.clone_into(&mut error.pointer);
        }
        self
    }

    /// Returns the response body for clients of the OpenAI API.
    fn openai(&self) -> OpenAiProblem {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let param = self.errors.first().map(|error| &error.pointer);
        let param = param.map(|pointer| pointer.trim_start_matches('/').replace('/', "."));
        OpenAiProblem {
            error: OpenAiError {
                message: self.detail.clone(),
                r#type: kind.to_owned(),
                param: param.filter(|param| !param.is_empty()),
                code: self.code.to_owned(),
            },
        }
    }

    /// Returns the response body.
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
        | E::VersionNotFound { .. }
        | E::NoReembedding => StatusCode::NOT_FOUND,
        E::AlreadyExists(_)
        | E::FingerprintMismatch { .. }
        | E::ReembeddingExists(_)
        | E::NotReembedded { .. }
        | E::PrivacyBudgetSpent { .. }
        | E::PrivateCollection(_) => StatusCode::CONFLICT,
        E::PreconditionFailed { .. } => StatusCode::PRECONDITION_FAILED,
        E::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        E::Embed(EmbedError::Unavailable(_))
        | E::Cancelled
        | E::CollectionDamaged { .. }
        | E::WritesFail { .. } => StatusCode::SERVICE_UNAVAILABLE,
        E::MemoryFullUntilSealed { .. } => StatusCode::TOO_MANY_REQUESTS,
        E::OutOfMemory { .. } | E::MemoryFull { .. } | E::DiskFull { .. } => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        E::Embed(EmbedError::Model(_))
        | E::UnsupportedFormat { .. }
        | E::DamagedDirectory { .. }
        | E::Damaged(_)
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
        let form = ERROR_FORM.try_with(|form| *form).unwrap_or_default();
        let (media_type, body) = match form {
            ErrorForm::Problem => (
                "application/problem+json",
                serde_json::to_vec(&self.problem()),
            ),
            ErrorForm::OpenAi => ("application/json", serde_json::to_vec(&self.openai())),
        };
        response.content_type(media_type);
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
        response.body(body.unwrap_or_default())
    }
}
