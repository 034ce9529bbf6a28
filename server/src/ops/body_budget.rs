//! Memory of all request bodies together: their bytes while they are received, and what they become
//! when they are parsed. A body that does not fit is refused at once, so that a flood of large
//! bodies cannot exhaust the memory before any other limit is checked.

use std::sync::Arc;

use actix_web::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, ApiResult};

/// Bytes of a permit.
const UNIT: u64 = 1 << 10;

/// Approximate bytes of memory of a parsed JSON value: measured 77 for values, 149 for filters.
pub const VALUE_BYTES: u64 = 64;

/// Bound on the memory of bodies.
pub struct BodyBudget(Arc<Semaphore>);

/// Memory reserved for a body; it is given back when dropped.
#[derive(Default)]
pub struct Reservation {
    permit: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    /// Creates a budget of `bytes`.
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Extends a reservation to `bytes`.
    ///
    /// # Errors
    /// 429 if other bodies have the memory.
    pub fn reserve(&self, reservation: &mut Reservation, bytes: u64) -> ApiResult<()> {
        let held = reservation.permit.as_ref().map_or(0, |p| p.num_permits()) as u64;
        let missing = bytes.div_ceil(UNIT).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let more = self.0.clone().try_acquire_many_owned(missing);
        let more = more.map_err(|_| {
            ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "overloaded",
                "request bodies in flight fill limits.bodies_bytes; retry after one second, or \
                 send smaller bodies",
            )
        })?;
        match &mut reservation.permit {
            Some(permit) => permit.merge(more),
            empty => *empty = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_reserved_again() {
        let budget = BodyBudget::new(10 << 10);
        let (mut first, mut second) = (Reservation::default(), Reservation::default());
        budget.reserve(&mut first, 1).expect("room");
        budget.reserve(&mut first, 6 << 10).expect("room");
        let refused = budget.reserve(&mut second, 5 << 10).expect_err("full");
        assert_eq!((refused.status.as_u16(), refused.code), (429, "overloaded"));
        budget.reserve(&mut second, 4 << 10).expect("room");
        drop(first);
        budget.reserve(&mut second, 10 << 10).expect("room");
    }
}
