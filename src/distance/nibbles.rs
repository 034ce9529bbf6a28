//! Inner products of 4-bit codes with signed bytes.

/// Number of bytes of a code that a kernel processes at a time.
pub const CHUNK: usize = 64;

/// Computes the inner products of a query with some of `codes`, which are stored one after the
/// other: calls `each` with `i` and the product with the code of point offset `offsets[i]`. A
/// code's length is a multiple of [`CHUNK`] and at most 8,192. For each chunk of a code the query
/// has [`CHUNK`] bytes for the low halves, then as many for the high halves.
#[inline]
pub fn dots_u4_i8(codes: &[u8], offsets: &[u32], query: &[i8], mut each: impl FnMut(usize, i32)) {
    let len = query.len() / 2;
    assert!(len.is_multiple_of(CHUNK) && query.len().is_multiple_of(2));
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the processor has the instructions; the length was checked.
            return unsafe { x86::dots_vnni(codes, offsets, query, each) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2; the length was checked.
            return unsafe { x86::dots_avx2(codes, offsets, query, each) };
        }
    }
    for (i, offset) in offsets.iter().enumerate() {
        let code = &codes[*offset as usize * len..][..len];
        each(i, super::scalar::dot_u4_i8(code, query));
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::*;

    use super::CHUNK;

    /// Returns the codes at four offsets; the last of fewer is repeated.
    #[inline]
    pub(in crate::distance) fn four<'a, T>(
        codes: &'a [T],
        len: usize,
        offsets: &[u32],
    ) -> [&'a [T]; 4] {
        std::array::from_fn(|i| {
            let offset = offsets.get(i).or(offsets.last());
            let offset = offset.copied().unwrap_or_default();
            &codes[offset as usize * len..][..len]
        })
    }

    /// # Safety
    /// The processor has AVX-512 BW and VNNI; the query's length is a multiple of 128.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
    pub unsafe fn dots_vnni(
        codes: &[u8],
        offsets: &[u32],
        query: &[i8],
        mut each: impl FnMut(usize, i32),
    ) {
        let nibble = _mm512_set1_epi8(15);
        for (first, offsets) in (0..).step_by(4).zip(offsets.chunks(4)) {
            let codes = four(codes, query.len() / 2, offsets);
            let mut sums = [_mm512_setzero_si512(); 4];
            for (chunk, query) in query.chunks_exact(2 * CHUNK).enumerate() {
                // SAFETY: the chunk of the query has 128 bytes.
                let (low, high) = unsafe {
                    (
                        _mm512_loadu_si512(query.as_ptr().cast()),
                        _mm512_loadu_si512(query.as_ptr().add(CHUNK).cast()),
                    )
                };
                for (sum, code) in sums.iter_mut().zip(codes) {
                    // SAFETY: every code has as many chunks of 64 bytes as the query has of 128.
                    let code =
                        unsafe { _mm512_loadu_si512(code.as_ptr().add(chunk * CHUNK).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_and_si512(code, nibble), low);
                    let shifted = _mm512_srli_epi16::<4>(code);
                    *sum = _mm512_dpbusd_epi32(*sum, _mm512_and_si512(shifted, nibble), high);
                }
            }
            let dots = reduce(sums.map(|s| halved(s)));
            pass(first, dots, offsets.len(), &mut each);
        }
    }

    /// # Safety
    /// The processor has AVX2; the query's length is a multiple of 128.
    #[target_feature(enable = "avx2")]
    pub unsafe fn dots_avx2(
        codes: &[u8],
        offsets: &[u32],
        query: &[i8],
        mut each: impl FnMut(usize, i32),
    ) {
        let (nibble, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        for (first, offsets) in (0..).step_by(4).zip(offsets.chunks(4)) {
            let codes = four(codes, query.len() / 2, offsets);
            let mut sums = [_mm256_setzero_si256(); 4];
            for (chunk, query) in query.chunks_exact(2 * CHUNK).enumerate() {
                for half in [0, CHUNK / 2] {
                    // SAFETY: the chunk of the query has 128 bytes.
                    let (low, high) = unsafe {
                        (
                            _mm256_loadu_si256(query.as_ptr().add(half).cast()),
                            _mm256_loadu_si256(query.as_ptr().add(CHUNK + half).cast()),
                        )
                    };
                    for (sum, code) in sums.iter_mut().zip(codes) {
                        let at = chunk * CHUNK + half;
                        // SAFETY: every code has as many chunks of 64 bytes as the query has of
                        // 128.
                        let code = unsafe { _mm256_loadu_si256(code.as_ptr().add(at).cast()) };
                        let shifted = _mm256_srli_epi16::<4>(code);
                        // At most 4 * 15 * 128, which fits 16 bits.
                        let pairs = _mm256_add_epi16(
                            _mm256_maddubs_epi16(_mm256_and_si256(code, nibble), low),
                            _mm256_maddubs_epi16(_mm256_and_si256(shifted, nibble), high),
                        );
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            let dots = reduce(sums);
            pass(first, dots, offsets.len(), &mut each);
        }
    }

    /// Calls `each` with the first `count` of four products, numbered from `first` on.
    #[inline]
    pub(in crate::distance) fn pass(
        first: usize,
        dots: [i32; 4],
        count: usize,
        each: &mut impl FnMut(usize, i32),
    ) {
        for (i, dot) in dots.into_iter().take(count).enumerate() {
            each(first + i, dot);
        }
    }

    /// Adds the upper half to the lower half.
    #[inline]
    #[target_feature(enable = "avx512f,avx2")]
    pub(in crate::distance) fn halved(s: __m512i) -> __m256i {
        _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64::<1>(s))
    }

    /// Returns the sum of the eight integers of each register.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in crate::distance) fn reduce([a, b, c, d]: [__m256i; 4]) -> [i32; 4] {
        let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let total = _mm_add_epi32(
            _mm256_castsi256_si128(pairs),
            _mm256_extracti128_si256::<1>(pairs),
        );
        let mut out = [0; 4];
        // SAFETY: `out` has 16 bytes.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), total) };
        out
    }
}
