//! What a handler gets of its request besides path, query and body: shared state, its time and the key it came with.

use std::{
    future::{Ready, ready},
    time::{Duration, Instant},
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use vitrine::Database;

use crate::{
    error::{ApiError, ApiResult},
    keys::Key,
    limits::Gate,
    middleware::auth,
    state::AppState,
};

/// A request being answered.
pub struct Call {
    /// Shared state.
    pub state: web::Data<AppState>,
    /// Time it may take, from where its body is there.
    pub time: Duration,
    key: Option<Key>,
}

impl Call {
    /// When it is to be given up.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.time
    }

    /// The same caller with the time that is left until a deadline, for work in steps.
    pub fn until(&self, deadline: Instant) -> Self {
        Self {
            state: self.state.clone(),
            time: deadline.saturating_duration_since(Instant::now()),
            key: self.key.clone(),
        }
    }

    /// Runs a read of the database under a permit.
    pub async fn read<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        self.run(&self.state.searches, self.deadline(), work).await
    }

    /// Runs a change of the database under a permit.
    pub async fn write<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        self.run(&self.state.writes, self.deadline(), work).await
    }

    /// Runs work on the database behind a gate of the state.
    pub async fn run<T, F>(&self, gate: &Gate, deadline: Instant, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> vitrine::Result<T> + Send + 'static,
    {
        let database = self.state.database.clone();
        gate.run(deadline, move || Ok(work(&database)?)).await
    }

    /// Whether the caller may name the collection or alias; for names in bodies and lists.
    pub fn covers(&self, name: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.covers(name))
    }

    /// 403 where the caller may not name one of the collections or aliases.
    pub fn check<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> ApiResult<()> {
        if names.all(|name| self.covers(name)) {
            Ok(())
        } else {
            Err(auth::forbidden())
        }
    }
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_request(request))
    }
}

fn from_request(request: &HttpRequest) -> ApiResult<Call> {
    let state = request
        .app_data::<web::Data<AppState>>()
        .cloned()
        .ok_or_else(|| ApiError::internal("the state is missing"))?;
    let ms = match request.headers().get("x-timeout-ms") {
        None => state.limits.timeout_ms,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|ms| (1..=600_000).contains(ms))
            .ok_or_else(|| {
                let mend = "header x-timeout-ms must be a whole number from 1 to 600000";
                ApiError::invalid("", mend)
            })?,
    };
    Ok(Call {
        time: Duration::from_millis(ms),
        key: request.extensions().get().cloned(),
        state,
    })
}
