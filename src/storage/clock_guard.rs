//! A guard against a clock that jumped forward: what is removed by age would be gone for ever.

use std::time::{Duration, Instant};

/// Difference of the clock to the time that has passed in the process from which on it jumped.
const MAX_JUMP: Duration = Duration::from_secs(2 * 86_400);

/// Time between two runs from which on the clock may be wrong.
const MAX_DOWNTIME: Duration = Duration::from_secs(30 * 86_400);

/// Time for which nothing expires after a jump, so that people can set the clock.
const HOLD: Duration = Duration::from_secs(86_400);

/// Times seen by [`Store::may_expire`](super::Store::may_expire).
#[derive(Default)]
pub(super) struct ClockGuard {
    /// The clock when it was last read, in microseconds since 1970, and the moment of that.
    seen: Option<(i64, Instant)>,
    /// True if nothing expires here, as in a copy that another process keeps up to date.
    pub is_off: bool,
    /// The clock as it was last stored.
    pub stored: i64,
    /// End of the time for which nothing expires.
    held_until: Option<Instant>,
}

impl ClockGuard {
    /// Returns true before the first reading.
    pub fn is_new(&self) -> bool {
        self.seen.is_none()
    }

    /// Takes a reading of the clock; returns true if it can be trusted.
    pub fn read(&mut self, now: i64, before_start: Option<i64>) -> bool {
        let (last, allowed) = match self.seen {
            Some((last, at)) => (last, at.elapsed() + MAX_JUMP),
            None => (before_start.unwrap_or(now), MAX_DOWNTIME),
        };
        self.seen = Some((now, Instant::now()));
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let ahead = now.saturating_sub(last);
        if ahead > micros(allowed) {
            self.held_until = Some(Instant::now() + HOLD);
            tracing::error!(
                days = ahead / micros(Duration::from_secs(86_400)),
                "the clock jumped forward; nothing is removed because of its age for 24 hours. Check the clock of this machine"
            );
        } else if ahead < -micros(MAX_JUMP) {
            // It was set back.
            self.held_until = None;
        }
        self.held_until.is_none_or(|until| Instant::now() >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_jump_forward_holds_until_the_clock_is_set_back() {
        let mut guard = ClockGuard::default();
        assert!(guard.read(1_000 * DAY, None));
        assert!(guard.read(1_001 * DAY, None));
        assert!(!guard.read(1_400 * DAY, None), "a jump while it runs");
        assert!(!guard.read(1_400 * DAY, None), "it stays");
        assert!(guard.read(1_001 * DAY, None), "set back");
    }

    #[test]
    fn a_jump_between_two_runs_holds_but_not_a_month_of_rest() {
        assert!(ClockGuard::default().read(1_029 * DAY, Some(1_000 * DAY)));
        assert!(!ClockGuard::default().read(1_031 * DAY, Some(1_000 * DAY)));
        assert!(ClockGuard::default().read(0, Some(1_000 * DAY)));
    }
}
