//! Parameters of the query string, whose errors name the parameter.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ApiResult};

/// Parameters of the query string.
pub struct Params<T>(pub T);

impl<T> Deref for Params<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> ApiResult<T> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let values = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(values).map_err(|e| {
        let (name, reason) = (e.path().to_string(), e.inner());
        match name.as_str() {
            "." | "" | "?" => ApiError::invalid("", format!("query string: {reason}")),
            name => {
                let value =
                    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
                let value = value.map(|(_, value)| format!(", got `{value}`"));
                let detail = format!("parameter `{name}`: {reason}{}", value.unwrap_or_default());
                ApiError::invalid(format!("/{name}"), detail)
            }
        }
    })
}
