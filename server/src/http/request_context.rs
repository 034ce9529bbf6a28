//! Context of a request besides path, query and body: shared state, timeout and API key.

use std::{
    future::{Ready, ready},
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{StatusCode, header::HeaderMap},
    web,
};
use vitrine::{Database, Precondition, Subject};
use vitrine_schemas::{Condition, Filter, FilterSpec};

use crate::{
    auth::{Grant, UserToken},
    config::Limits,
    error::{ApiError, ApiResult},
    http::{etag, visibility::Visibility},
    ops::limits::Gate,
    state::AppState,
};

/// Context of the request being served.
pub struct RequestContext {
    /// Shared state.
    pub state: web::Data<AppState>,
    /// Timeout, counted from the end of the request body.
    pub timeout: Duration,
    /// Timeout of trainings: that of the header, or else the longest that a header may ask for.
    training_timeout: Duration,
    /// Stored version that the request requires (`If-Match`, `If-None-Match: *`).
    pub condition: Precondition,
    grant: Option<Grant>,
}

impl RequestContext {
    /// Returns the deadline of work that starts now.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Returns a context of the same caller with the time left until a deadline.
    pub fn until(&self, deadline: Instant) -> Self {
        let timeout = deadline.saturating_duration_since(Instant::now());
        Self {
            state: self.state.clone(),
            timeout,
            training_timeout: timeout,
            condition: self.condition.clone(),
            grant: self.grant.clone(),
        }
    }

    /// Runs a read of the database under a search permit.
    pub async fn read<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        self.run(&self.state.searches, self.deadline(), work).await
    }

    /// Runs a change of the database under a write permit.
    pub async fn write<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        self.run(&self.state.writes, self.deadline(), work).await
    }

    /// Runs a training, whose turn comes after those that are under way. It is not ended at the
    /// deadline: the error says that it goes on.
    pub async fn train<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        let work = move |database: &Database| vitrine::deadline::without(|| work(database));
        let deadline = Instant::now() + self.training_timeout;
        let trained = self.run(&self.state.trainings, deadline, work).await;
        trained.map_err(|error| match error.status {
            StatusCode::GATEWAY_TIMEOUT => ApiError {
                detail: format!(
                    "the training takes longer than {} s; it goes on in the background unless it still waited for another one; raise x-timeout-ms, or train as a task (`POST .../train?wait=false`)",
                    self.training_timeout.as_secs()
                ),
                ..error
            },
            _ => error,
        })
    }

    /// Runs work on the database under a permit of the gate.
    pub async fn run<T, F>(&self, gate: &Gate, deadline: Instant, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        let database = self.state.database();
        gate.run(deadline, move || Ok(work(&database)?)).await
    }

    /// Returns the name of the key; empty without keys.
    pub fn key_name(&self) -> &str {
        self.grant.as_ref().map_or("", |g| g.key.name.as_str())
    }

    /// Returns true if the key covers the collection or alias; for names in bodies and lists.
    pub fn covers(&self, name: &str) -> bool {
        self.grant.as_ref().is_none_or(|g| g.key.covers(name))
    }

    fn token(&self) -> Option<&UserToken> {
        self.grant.as_ref()?.token.as_deref()
    }

    /// Returns the user of the user token; None without one.
    pub fn token_user(&self) -> Option<String> {
        Some(self.token()?.user.clone())
    }

    /// Returns the filter of the user token; None without one.
    fn required_filter(&self) -> Option<&String> {
        self.token()?.filter.as_ref()
    }

    /// Returns what the caller may see.
    pub fn visibility(&self) -> Visibility {
        Visibility(self.required_filter().cloned().map(FilterSpec::Text))
    }

    /// Sets the user and the session of a request to those of a user token.
    ///
    /// # Errors
    /// 403 if the request names others.
    pub fn restrict_shopper(
        &self,
        user: &mut Option<String>,
        session: &mut Option<String>,
    ) -> ApiResult<()> {
        let Some(token) = self.token() else {
            return Ok(());
        };
        for (field, asked, allowed) in [
            ("user", &mut *user, Some(&token.user)),
            ("session", session, token.session.as_ref()),
        ] {
            if asked.as_ref().is_some_and(|asked| Some(asked) != allowed) {
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "forbidden",
                    format!("the user token does not allow this `{field}`; leave the field out"),
                ));
            }
        }
        *user = Some(token.user.clone());
        Ok(())
    }

    /// Checks that the caller may name a user or session: a user token names its own only.
    ///
    /// # Errors
    /// 403 if it names others.
    pub fn check_subject(&self, who: &Subject) -> ApiResult<()> {
        let name = Some(who.name().to_owned());
        match who {
            Subject::User(_) => self.restrict_shopper(&mut { name }, &mut None),
            Subject::Session(_) => self.restrict_shopper(&mut None, &mut { name }),
        }
    }

    /// Adds the filter of a user token to the filter of a request.
    ///
    /// # Errors
    /// The filter of the token is not valid.
    pub fn restrict_filter(&self, filter: &mut Option<FilterSpec>) -> ApiResult<()> {
        if let Some(required) = self.required_filter() {
            let required = FilterSpec::Text(required.clone());
            *filter = Some(match filter.take() {
                None => required,
                Some(asked) => both(&required, &asked)?,
            });
        }
        Ok(())
    }

    /// The same of a filter in its string form.
    ///
    /// # Errors
    /// A filter is not valid.
    pub fn restrict_text_filter(&self, filter: &mut Option<String>) -> ApiResult<()> {
        if let Some(required) = self.required_filter() {
            *filter = Some(match filter.take() {
                None => required.clone(),
                Some(asked) => {
                    // Each by itself, so that no parenthesis of one reaches into the other.
                    for text in [required, &asked] {
                        vitrine::payload::tree_of(&FilterSpec::Text(text.clone()))?;
                    }
                    format!("({required}) AND ({asked})")
                }
            });
        }
        Ok(())
    }

    /// Fails with 403 if the key does not cover one of the collections or aliases.
    pub fn check<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> ApiResult<()> {
        if names.all(|name| self.covers(name)) {
            Ok(())
        } else {
            Err(ApiError::forbidden())
        }
    }
}

/// Returns a filter that requires both.
fn both(a: &FilterSpec, b: &FilterSpec) -> ApiResult<FilterSpec> {
    let trees = [vitrine::payload::tree_of(a)?, vitrine::payload::tree_of(b)?];
    Ok(FilterSpec::Tree(Filter {
        must: trees.map(Condition::Nested).into(),
        ..Filter::default()
    }))
}

impl FromRequest for RequestContext {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_request(request))
    }
}

fn from_request(request: &HttpRequest) -> ApiResult<RequestContext> {
    let state = request
        .app_data::<web::Data<AppState>>()
        .cloned()
        .ok_or_else(|| ApiError::internal("the state is missing"))?;
    Ok(RequestContext {
        timeout: timeout_of(request.headers(), &state.limits, state.limits.timeout_ms)?,
        training_timeout: timeout_of(
            request.headers(),
            &state.limits,
            state.limits.max_timeout_ms,
        )?,
        condition: etag::condition(request)?,
        grant: request.extensions().get().cloned(),
        state,
    })
}

/// Returns the timeout that the headers of a request ask for, or the default in milliseconds.
///
/// # Errors
/// It is out of range.
pub fn timeout_of(headers: &HeaderMap, limits: &Limits, default: u64) -> ApiResult<Duration> {
    let Some(value) = headers.get("x-timeout-ms") else {
        return Ok(Duration::from_millis(default));
    };
    let ms = value.to_str().ok().and_then(|text| text.parse().ok());
    let ms = ms.filter(|ms| (1..=limits.max_timeout_ms).contains(ms));
    let ms = ms.ok_or_else(|| {
        ApiError::invalid(
            "",
            format!(
                "header x-timeout-ms: expected an integer from 1 to {} (limits.max_timeout_ms)",
                limits.max_timeout_ms
            ),
        )
    })?;
    Ok(Duration::from_millis(ms))
}
