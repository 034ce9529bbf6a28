//! Inner product of unsigned with signed bytes: what processors multiply fastest (AVX-512 VNNI).

/// Inner product of two codes of one length, at most 32,768.
#[inline]
pub fn dot_u8_i8(a: &[u8], b: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if a.len().is_multiple_of(64)
            && a.len() == b.len()
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the processor has the instructions; the lengths were checked.
            return unsafe { x86::dot_vnni(a, b) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { x86::dot_avx2(a, b) };
        }
    }
    super::scalar::dot_u8_i8(a, b)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512 VNNI; both have one length, a multiple of 64.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn dot_vnni(a: &[u8], b: &[i8]) -> i32 {
        let mut sums = [_mm512_setzero_si512(); 2];
        let mut at = 0;
        while at < a.len() {
            // Two sums in turn, so that one multiplication need not wait for the other.
            let sum = &mut sums[at / 64 % 2];
            // SAFETY: 64 bytes from `at` lie within both.
            *sum = unsafe {
                _mm512_dpbusd_epi32(
                    *sum,
                    _mm512_loadu_si512(a.as_ptr().add(at).cast()),
                    _mm512_loadu_si512(b.as_ptr().add(at).cast()),
                )
            };
            at += 64;
        }
        _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]))
    }

    /// The plain loop, compiled for AVX2.
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_avx2(a: &[u8], b: &[i8]) -> i32 {
        crate::distance::scalar::dot_u8_i8(a, b)
    }
}
