//! Prefetching into the processor's caches.

use super::tuning::MAX_PREFETCH_LINES;

/// Prefetches all of `data`. It has no effect but on the time of a later read.
#[inline]
pub(super) fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = data.as_ptr().cast::<i8>();
        for line in 0..size_of_val(data).div_ceil(64).min(MAX_PREFETCH_LINES) {
            // SAFETY: the address is within `data`, and a prefetch has no visible effect on the
            // program.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, MAX_PREFETCH_LINES);
}
