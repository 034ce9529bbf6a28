//! Inner products of unsigned with signed bytes, which processors multiply fastest (AVX-512 VNNI).

/// Returns the inner product of two codes of one length, at most 32,768.
#[inline]
pub fn dot_u8_i8(a: &[u8], b: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    {
        if a.len().is_multiple_of(64)
            && a.len() == b.len()
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512f")
        {
            // SAFETY: the processor has the instructions; the lengths were checked.
            return unsafe { x86::dot_vnni(a, b) };
        }
        if a.len() == b.len() && is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2; the lengths were checked.
            return unsafe { x86::dot_avx2(a, b) };
        }
    }
    super::scalar::dot_u8_i8(a, b)
}

/// Computes the inner products of a code with `dots.len()` others of its length, which `others` has
/// one after the other.
pub fn dots_u8_i8(a: &[u8], others: &[i8], dots: &mut [i32]) {
    assert!(others.len() == a.len() * dots.len());
    #[cfg(target_arch = "x86_64")]
    if a.len().is_multiple_of(64)
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx512f")
    {
        // SAFETY: the processor has the instructions; the lengths were checked.
        return unsafe { x86::dots_vnni(a, others, dots) };
    }
    for (dot, other) in dots.iter_mut().zip(others.chunks_exact(a.len().max(1))) {
        *dot = dot_u8_i8(a, other);
    }
}

/// Computes the inner products of `query` with some of `codes`, which are stored one after the
/// other and have its length: calls `each` with `i` and the product with the code of point offset
/// `offsets[i]`.
#[inline]
pub fn dots_at_u8_i8(
    codes: &[i8],
    offsets: &[u32],
    query: &[u8],
    mut each: impl FnMut(usize, i32),
) {
    #[cfg(target_arch = "x86_64")]
    if query.len().is_multiple_of(64) {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            // SAFETY: the processor has the instructions; the length was checked.
            return unsafe { x86::dots_at_vnni(codes, offsets, query, each) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2; the length was checked.
            return unsafe { x86::dots_at_avx2(codes, offsets, query, each) };
        }
    }
    for (i, offset) in offsets.iter().enumerate() {
        let code = &codes[*offset as usize * query.len()..][..query.len()];
        each(i, dot_u8_i8(query, code));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use crate::distance::nibbles::x86::{four, halved, pass, reduce};

    /// # Safety
    /// The processor has AVX-512 VNNI; the query's length is a multiple of 64.
    #[target_feature(enable = "avx512f,avx512vnni,avx2")]
    pub(super) unsafe fn dots_at_vnni(
        codes: &[i8],
        offsets: &[u32],
        query: &[u8],
        mut each: impl FnMut(usize, i32),
    ) {
        for (first, offsets) in (0..).step_by(4).zip(offsets.chunks(4)) {
            let codes = four(codes, query.len(), offsets);
            let mut sums = [_mm512_setzero_si512(); 4];
            for (at, query) in (0..).step_by(64).zip(query.chunks_exact(64)) {
                // SAFETY: the chunk of the query has 64 bytes.
                let query = unsafe { _mm512_loadu_si512(query.as_ptr().cast()) };
                for (sum, code) in sums.iter_mut().zip(codes) {
                    // SAFETY: every code has the length of the query.
                    let code = unsafe { _mm512_loadu_si512(code.as_ptr().add(at).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, query, code);
                }
            }
            let dots = reduce(sums.map(|s| halved(s)));
            pass(first, dots, offsets.len(), &mut each);
        }
    }

    /// Both codes are widened to 16 bits: in 8 bits, sums of two products of an unsigned and a
    /// signed byte would saturate.
    ///
    /// # Safety
    /// The processor has AVX2; the query's length is a multiple of 16.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn dots_at_avx2(
        codes: &[i8],
        offsets: &[u32],
        query: &[u8],
        mut each: impl FnMut(usize, i32),
    ) {
        for (first, offsets) in (0..).step_by(4).zip(offsets.chunks(4)) {
            let codes = four(codes, query.len(), offsets);
            let mut sums = [_mm256_setzero_si256(); 4];
            for (at, query) in (0..).step_by(16).zip(query.chunks_exact(16)) {
                // SAFETY: the chunk of the query has 16 bytes.
                let query = unsafe { _mm_loadu_si128(query.as_ptr().cast()) };
                let query = _mm256_cvtepu8_epi16(query);
                for (sum, code) in sums.iter_mut().zip(codes) {
                    // SAFETY: every code has the length of the query.
                    let code = unsafe { _mm_loadu_si128(code.as_ptr().add(at).cast()) };
                    let products = _mm256_madd_epi16(query, _mm256_cvtepi8_epi16(code));
                    *sum = _mm256_add_epi32(*sum, products);
                }
            }
            let dots = reduce(sums);
            pass(first, dots, offsets.len(), &mut each);
        }
    }

    /// Computes four at a time, so that one load of `a` serves four multiplications.
    ///
    /// # Safety
    /// The processor has AVX-512 VNNI; a code's length is a multiple of 64, and `others` has one
    /// for each of `dots`.
    #[target_feature(enable = "avx512f,avx512vnni,avx2")]
    pub(super) unsafe fn dots_vnni(a: &[u8], others: &[i8], dots: &mut [i32]) {
        for (first, dots) in (0..).step_by(4).zip(dots.chunks_mut(4)) {
            // The last of fewer than four is repeated.
            let starts: [_; 4] = std::array::from_fn(|i| {
                let at = (first + i.min(dots.len() - 1)) * a.len();
                // SAFETY: `others` has a code for each of `dots`.
                unsafe { others.as_ptr().add(at) }
            });
            let mut sums = [_mm512_setzero_si512(); 4];
            for at in (0..a.len()).step_by(64) {
                // SAFETY: 64 bytes from `at` are within `a`.
                let bytes = unsafe { _mm512_loadu_si512(a.as_ptr().add(at).cast()) };
                for (sum, start) in sums.iter_mut().zip(starts) {
                    // SAFETY: and within a code that begins at `start`.
                    let other = unsafe { _mm512_loadu_si512(start.add(at).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, bytes, other);
                }
            }
            dots.copy_from_slice(&reduce(sums.map(|s| halved(s)))[..dots.len()]);
        }
    }

    /// # Safety
    /// The processor has AVX-512 VNNI; both have one length, a multiple of 64.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn dot_vnni(a: &[u8], b: &[i8]) -> i32 {
        let mut sums = [_mm512_setzero_si512(); 2];
        let mut at = 0;
        while at < a.len() {
            // Two alternating sums, so that one multiplication does not wait for the other.
            let sum = &mut sums[at / 64 % 2];
            // SAFETY: 64 bytes from `at` are within both.
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

    /// Widens the codes as [`dots_at_avx2`] does.
    ///
    /// # Safety
    /// The processor has AVX2; both have one length.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn dot_avx2(a: &[u8], b: &[i8]) -> i32 {
        let whole = a.len() / 32 * 32;
        let products = |at: usize| {
            // SAFETY: called with 16 bytes from `at` within both.
            let (a, b) = unsafe {
                (
                    _mm_loadu_si128(a.as_ptr().add(at).cast()),
                    _mm_loadu_si128(b.as_ptr().add(at).cast()),
                )
            };
            _mm256_madd_epi16(_mm256_cvtepu8_epi16(a), _mm256_cvtepi8_epi16(b))
        };
        // Two sums, so that one addition does not wait for the other.
        let mut sums = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for at in (0..whole).step_by(32) {
            sums.0 = _mm256_add_epi32(sums.0, products(at));
            sums.1 = _mm256_add_epi32(sums.1, products(at + 16));
        }
        let zero = _mm256_setzero_si256();
        let [sum, ..] = reduce([_mm256_add_epi32(sums.0, sums.1), zero, zero, zero]);
        sum + crate::distance::scalar::dot_u8_i8(&a[whole..], &b[whole..])
    }
}
