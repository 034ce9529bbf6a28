//! Telling the processor what will be read soon.

/// Lines of the processor's cache asked for at most; it keeps only so many requests under way.
const MOST_LINES: usize = 96;

/// Asks for all of `data`. It changes nothing but the time that a later read takes.
#[inline]
pub(super) fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = data.as_ptr().cast::<i8>();
        for line in 0..size_of_val(data).div_ceil(64).min(MOST_LINES) {
            // SAFETY: the address lies within `data`, and a prefetch reads nothing that the program could see.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(line * 64)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, MOST_LINES);
}
