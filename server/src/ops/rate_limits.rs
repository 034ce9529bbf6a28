//! Requests per second of each key, so that one caller cannot take the permits of all others.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use actix_web::http::StatusCode;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

use crate::{
    auth::Key,
    error::{ApiError, ApiResult},
};

/// Rate limits by the name of a key. A second's worth may come at once.
pub struct RateLimits {
    /// Requests per second of keys without a limit of their own; None for no limit.
    default: Option<NonZeroU32>,
    limiters: Mutex<HashMap<String, (NonZeroU32, Arc<DefaultDirectRateLimiter>)>>,
}

impl RateLimits {
    /// Creates limits; 0 stands for none.
    pub fn new(default: u32) -> Self {
        Self {
            default: NonZeroU32::new(default),
            limiters: Mutex::default(),
        }
    }

    /// Counts a request of a key.
    ///
    /// # Errors
    /// 429 if the key has sent too many.
    pub fn check(&self, key: &Key) -> ApiResult<()> {
        let own = key.requests_per_second.map(NonZeroU32::new);
        let Some(rate) = own.unwrap_or(self.default) else {
            return Ok(());
        };
        if self.limiter(&key.name, rate).check().is_ok() {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            format!("the key may send {rate} requests per second; retry after one second"),
        ))
    }

    fn limiter(&self, name: &str, rate: NonZeroU32) -> Arc<DefaultDirectRateLimiter> {
        let mut limiters = self.limiters.lock();
        match limiters.get(name) {
            Some((known, limiter)) if *known == rate => limiter.clone(),
            _ => {
                let limiter = Arc::new(RateLimiter::direct(Quota::per_second(rate)));
                limiters.insert(name.to_owned(), (rate, limiter.clone()));
                limiter
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;

    #[test]
    fn each_key_has_its_own_rate() {
        let key = |name: &str, rate| {
            let key = Key::create(name.into(), vec![Action::Read], vec!["*".into()]);
            let (mut key, _) = key.expect("a key");
            key.requests_per_second = rate;
            key
        };
        let limits = RateLimits::new(3);
        let accepted = |key: &Key| (0..50).filter(|_| limits.check(key).is_ok()).count();
        // A slow machine may refill a few.
        assert!((3..30).contains(&accepted(&key("a", None))));
        assert!((5..35).contains(&accepted(&key("b", Some(5)))));
        assert_eq!(accepted(&key("c", Some(0))), 50);
        assert!(RateLimits::new(0).check(&key("d", None)).is_ok());
    }
}
