//! The time at which data may be removed by its age.

use super::{Batch, Store, batch::Op};
use crate::Result;

/// Microseconds after which the time is stored again, for the next run.
const STORE_INTERVAL: u64 = 3_600_000_000;

const KEY: &[u8] = b"clock";

impl Store {
    /// Turns off the removal by age: the store is a copy.
    pub fn never_expire(&self) {
        self.clock_guard.lock().is_off = true;
    }

    /// Returns true if data may be removed by its age at a time, in microseconds since 1970. It is
    /// false for a day after the clock jumped forward: by more than two days while the process
    /// runs, or by more than 30 days between two runs.
    pub fn may_expire(&self, now: i64) -> Result<bool> {
        let mut guard = self.clock_guard.lock();
        if guard.is_off {
            return Ok(false);
        }
        let before_start = match guard.is_new() {
            true => self.stored_clock()?,
            false => None,
        };
        let is_trusted = guard.read(now, before_start);
        if is_trusted && now.abs_diff(guard.stored) > STORE_INTERVAL {
            let put = Op::Put("manifest", KEY.to_vec(), now.to_be_bytes().to_vec());
            self.write(Batch(vec![put]))?;
            guard.stored = now;
        }
        Ok(is_trusted)
    }

    fn stored_clock(&self) -> Result<Option<i64>> {
        let bytes = self.get("manifest", KEY)?;
        Ok(bytes.and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durability;

    #[test]
    fn nothing_expires_in_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::default(), true).unwrap();
        assert!(store.may_expire(STORE_INTERVAL as i64 * 2).unwrap());
        store.never_expire();
        let before = store.operations().unwrap();
        assert!(!store.may_expire(STORE_INTERVAL as i64 * 4).unwrap());
        assert_eq!(store.operations().unwrap(), before, "nothing is stored");
    }
}
