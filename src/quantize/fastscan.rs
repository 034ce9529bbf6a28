//! Sums over the set bits of 32 codes at once, by table look-ups in SIMD registers
//! (FastScan: Andre, Kermarrec & Le Scouarnec 2017; for 1-bit codes as in RaBitQ, Gao & Long 2024).
//!
//! Bits are processed four at a time. A query has one table of 16 sums, a byte each, for every four
//! of its components; [`sums`] looks up the tables for the 32 codes of a block. The kernels add
//! integers, so all return the same.

use super::simd::{Loop, with_best_simd};

/// Number of codes in a block.
pub(crate) const BLOCK: usize = 32;

/// Number of bytes of a block per four components.
const GROUP: usize = 16;

/// Maximum number of components: sums of more would not fit the 16 bits they are added up in.
pub(crate) const MAX_DIM: usize = 4096;

/// Returns the number of bytes of a block of 32 codes of `dim` bits; `dim` is a multiple of 64.
pub(crate) const fn block_bytes(dim: usize) -> usize {
    dim / 4 * GROUP
}

/// Returns the place of a code's four bits in a group: the byte, and the shift within it. Sums are
/// in the order of the codes if even bytes hold the first eight of a half block and odd bytes the
/// others.
const fn place(code: usize) -> (usize, usize) {
    let (half, rest) = (code / 16, code % 16);
    (rest % 8 * 2 + rest / 8, half * 4)
}

/// Writes the code whose bits are `rotated[i] > 0` as code `code` (0 to 31) of a block that was all
/// zero.
pub(crate) fn pack(rotated: &[f32], code: usize, block: &mut [u8]) {
    let (byte, shift) = place(code);
    for (four, group) in rotated.chunks_exact(4).zip(block.chunks_exact_mut(GROUP)) {
        let bits = four
            .iter()
            .rev()
            .fold(0, |bits, x| bits << 1 | u8::from(*x > 0.0));
        group[byte] |= bits << shift;
    }
}

/// Constant that, added to a number from 0 to 255, leaves the rounded number in the lowest byte:
/// the bits after it do not fit a 23-bit fraction.
const ROUND: f32 = 8_388_608.0;

/// The tables of a query.
#[derive(Default)]
pub(crate) struct Tables {
    bytes: Vec<u8>,
    /// Size of one step of a table entry.
    pub step: f32,
    /// The sum for table entries that are all 0, minus half the sum of the query:
    /// `offset + step * sum` is approximately half the inner product of the query and the code's
    /// signs.
    pub offset: f32,
}

impl Tables {
    /// Computes the tables of a rotated query, whose number of components is a multiple of 64.
    pub fn fill(&mut self, query: &[f32]) {
        self.bytes.resize(query.len() / 4 * GROUP, 0);
        with_best_simd(Fill(self, query));
    }
}

struct Fill<'a>(&'a mut Tables, &'a [f32]);

impl Loop for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self(tables, query) = self;
        let mut widest = 0.0_f32;
        let mut absolute = 0.0_f32;
        for four in query.chunks_exact(4) {
            let range: f32 = four.iter().map(|x| x.abs()).sum();
            widest = widest.max(range);
            absolute += range;
        }
        tables.step = widest / 254.9;
        tables.offset = -0.5 * absolute;
        // Slightly less than 255, so that no sum is rounded to 256.
        let scale = if widest > 0.0 { 254.9 / widest } else { 0.0 };
        for (four, table) in query
            .chunks_exact(4)
            .zip(tables.bytes.chunks_exact_mut(GROUP))
        {
            let min: f32 = four.iter().map(|x| x.min(0.0)).sum();
            let mut sums = [-min * scale; GROUP];
            for (bit, x) in four.iter().enumerate() {
                for (pattern, sum) in sums.iter_mut().enumerate() {
                    *sum += (pattern >> bit & 1) as f32 * (*x * scale);
                }
            }
            for (byte, sum) in table.iter_mut().zip(sums) {
                *byte = (sum + ROUND).to_bits() as u8;
            }
        }
    }
}

/// Returns the sums of the table entries that each of a block's codes selects.
#[inline]
pub(crate) fn sums(tables: &Tables, block: &[u8]) -> [u32; BLOCK] {
    assert_eq!(tables.bytes.len(), block.len());
    assert!(block.len() <= block_bytes(MAX_DIM) && block.len().is_multiple_of(64));
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has AVX-512 BW; the lengths were checked.
            return unsafe { x86::sums_avx512(&tables.bytes, block) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2; the lengths were checked.
            return unsafe { x86::sums_avx2(&tables.bytes, block) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: every aarch64 processor has NEON; the lengths were checked.
        return unsafe { neon::sums(&tables.bytes, block) };
    }
    #[allow(unreachable_code)]
    sums_scalar(&tables.bytes, block)
}

/// The scalar equivalent of the kernels.
#[cfg_attr(target_arch = "aarch64", allow(dead_code))]
fn sums_scalar(tables: &[u8], block: &[u8]) -> [u32; BLOCK] {
    let mut sums = [0; BLOCK];
    for (table, group) in tables.chunks_exact(GROUP).zip(block.chunks_exact(GROUP)) {
        for (code, sum) in sums.iter_mut().enumerate() {
            let (byte, shift) = place(code);
            *sum += u32::from(table[usize::from(group[byte] >> shift & 15)]);
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::BLOCK;

    /// Adds up even and odd bytes separately, in 16 bits: `all` accumulates both (the odd ones
    /// times 256, modulo 2^16), `odd` the odd ones, so the even sums are `all - 256 * odd`.
    ///
    /// # Safety
    /// The processor has AVX-512 BW; both slices have one length, a multiple of 64, at most 16,384.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) unsafe fn sums_avx512(tables: &[u8], block: &[u8]) -> [u32; BLOCK] {
        let nibble = _mm512_set1_epi8(15);
        let zero = _mm512_setzero_si512();
        let (mut low_all, mut low_odd, mut high_all, mut high_odd) = (zero, zero, zero, zero);
        for (table, group) in tables.chunks_exact(64).zip(block.chunks_exact(64)) {
            // SAFETY: both chunks have 64 bytes.
            let (table, group) = unsafe {
                (
                    _mm512_loadu_si512(table.as_ptr().cast()),
                    _mm512_loadu_si512(group.as_ptr().cast()),
                )
            };
            let low = _mm512_shuffle_epi8(table, _mm512_and_si512(group, nibble));
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(group), nibble);
            let high = _mm512_shuffle_epi8(table, high);
            low_all = _mm512_add_epi16(low_all, low);
            low_odd = _mm512_add_epi16(low_odd, _mm512_srli_epi16::<8>(low));
            high_all = _mm512_add_epi16(high_all, high);
            high_odd = _mm512_add_epi16(high_odd, _mm512_srli_epi16::<8>(high));
        }
        let even = |all, odd| _mm512_sub_epi16(all, _mm512_slli_epi16::<8>(odd));
        let mut sums = [0; BLOCK];
        let quarters = [
            even(low_all, low_odd),
            low_odd,
            even(high_all, high_odd),
            high_odd,
        ];
        for (quarter, out) in quarters.into_iter().zip(sums.chunks_exact_mut(8)) {
            let lanes = _mm512_add_epi32(
                _mm512_cvtepu16_epi32(_mm512_castsi512_si256(quarter)),
                _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64::<1>(quarter)),
            );
            let total = _mm256_add_epi32(
                _mm512_castsi512_si256(lanes),
                _mm512_extracti64x4_epi64::<1>(lanes),
            );
            // SAFETY: `out` has 8 integers, 32 bytes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), total) };
        }
        sums
    }

    /// [`sums_avx512`] with half the width.
    ///
    /// # Safety
    /// The processor has AVX2; both slices have one length, a multiple of 64, at most 16,384. (A
    /// lane would add up to 512 bytes, which overflows 16 bits: so each half is added up
    /// separately.)
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn sums_avx2(tables: &[u8], block: &[u8]) -> [u32; BLOCK] {
        let mut sums = [0; BLOCK];
        for (tables, block) in tables.chunks(8192).zip(block.chunks(8192)) {
            // SAFETY: the processor has AVX2, and the chunks are multiples of 64 as the whole is.
            let half = unsafe { half_avx2(tables, block) };
            sums.iter_mut().zip(half).for_each(|(s, h)| *s += h);
        }
        sums
    }

    #[target_feature(enable = "avx2")]
    unsafe fn half_avx2(tables: &[u8], block: &[u8]) -> [u32; BLOCK] {
        let nibble = _mm256_set1_epi8(15);
        let zero = _mm256_setzero_si256();
        let (mut low_all, mut low_odd, mut high_all, mut high_odd) = (zero, zero, zero, zero);
        for (table, group) in tables.chunks_exact(32).zip(block.chunks_exact(32)) {
            // SAFETY: both chunks have 32 bytes.
            let (table, group) = unsafe {
                (
                    _mm256_loadu_si256(table.as_ptr().cast()),
                    _mm256_loadu_si256(group.as_ptr().cast()),
                )
            };
            let low = _mm256_shuffle_epi8(table, _mm256_and_si256(group, nibble));
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(group), nibble);
            let high = _mm256_shuffle_epi8(table, high);
            low_all = _mm256_add_epi16(low_all, low);
            low_odd = _mm256_add_epi16(low_odd, _mm256_srli_epi16::<8>(low));
            high_all = _mm256_add_epi16(high_all, high);
            high_odd = _mm256_add_epi16(high_odd, _mm256_srli_epi16::<8>(high));
        }
        let even = |all, odd| _mm256_sub_epi16(all, _mm256_slli_epi16::<8>(odd));
        let mut sums = [0; BLOCK];
        let quarters = [
            even(low_all, low_odd),
            low_odd,
            even(high_all, high_odd),
            high_odd,
        ];
        for (quarter, out) in quarters.into_iter().zip(sums.chunks_exact_mut(8)) {
            let total = _mm256_add_epi32(
                _mm256_cvtepu16_epi32(_mm256_castsi256_si128(quarter)),
                _mm256_cvtepu16_epi32(_mm256_extracti128_si256::<1>(quarter)),
            );
            // SAFETY: `out` has 8 integers, 32 bytes.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), total) };
        }
        sums
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use std::arch::aarch64::*;

    use super::{BLOCK, GROUP};

    /// Number of bytes of groups whose sums fit 16 bits.
    const CHUNK: usize = 256 * GROUP;

    /// # Safety
    /// Both slices have one length, a multiple of 16.
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn sums(tables: &[u8], block: &[u8]) -> [u32; BLOCK] {
        let mut sums = [0; BLOCK];
        let nibble = vdupq_n_u8(15);
        for (tables, block) in tables.chunks(CHUNK).zip(block.chunks(CHUNK)) {
            let mut quarters = [vdupq_n_u16(0); 4];
            for (table, group) in tables.chunks_exact(GROUP).zip(block.chunks_exact(GROUP)) {
                // SAFETY: both chunks have 16 bytes.
                let (table, group) =
                    unsafe { (vld1q_u8(table.as_ptr()), vld1q_u8(group.as_ptr())) };
                let low = vreinterpretq_u16_u8(vqtbl1q_u8(table, vandq_u8(group, nibble)));
                let high = vreinterpretq_u16_u8(vqtbl1q_u8(table, vshrq_n_u8::<4>(group)));
                let even = vdupq_n_u16(255);
                quarters[0] = vaddq_u16(quarters[0], vandq_u16(low, even));
                quarters[1] = vsraq_n_u16::<8>(quarters[1], low);
                quarters[2] = vaddq_u16(quarters[2], vandq_u16(high, even));
                quarters[3] = vsraq_n_u16::<8>(quarters[3], high);
            }
            for (quarter, out) in quarters.into_iter().zip(sums.chunks_exact_mut(8)) {
                let mut eight = [0_u16; 8];
                // SAFETY: `eight` has 8 integers.
                unsafe { vst1q_u16(eight.as_mut_ptr(), quarter) };
                out.iter_mut()
                    .zip(eight)
                    .for_each(|(s, x)| *s += u32::from(x));
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Tables and blocks of 64 to 4,096 components; all ones often, where sums are largest.
    fn bytes() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let byte = || prop_oneof![3 => any::<u8>(), 1 => Just(255_u8)];
        prop_oneof![
            (1_usize..=64).prop_flat_map(move |n| (vec(byte(), n * 256), vec(byte(), n * 256))),
            (1_usize..=64).prop_map(|n| (vec![255; n * 256], vec![255; n * 256])),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn kernels_equal_the_scalar_one((bytes, block) in bytes()) {
            let scalar = sums_scalar(&bytes, &block);
            let tables = Tables { bytes, ..Tables::default() };
            prop_assert_eq!(sums(&tables, &block), scalar);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2; the lengths are equal multiples of 256, at most
                // 16,384.
                prop_assert_eq!(unsafe { x86::sums_avx2(&tables.bytes, &block) }, scalar);
            }
        }

        #[test]
        fn sums_are_inner_products_with_the_signs(
            (query, code) in (1_usize..9).prop_flat_map(|n| {
                (vec(-3.0_f32..3.0, n * 64), vec(-1.0_f32..1.0, n * 64))
            }),
            at in 0..BLOCK,
        ) {
            let mut block = vec![0; block_bytes(query.len())];
            pack(&code, at, &mut block);
            let mut tables = Tables::default();
            tables.fill(&query);
            let got = tables.offset + tables.step * sums(&tables, &block)[at] as f32;
            let truth: f32 = query.iter().zip(&code).map(|(q, c)| if *c > 0.0 { q / 2.0 } else { -q / 2.0 }).sum();
            // A table entry is off by half a step at most.
            let bound = tables.step * 0.51 * (query.len() / 4) as f32;
            prop_assert!((got - truth).abs() <= bound + 1e-3, "{got} {truth}");
        }
    }

    #[test]
    fn a_query_of_zeros() {
        let mut tables = Tables::default();
        tables.fill(&[0.0; 64]);
        let sums = sums(&tables, &[0xff; 256]);
        assert!(
            sums.iter()
                .all(|s| tables.offset + tables.step * *s as f32 == 0.0)
        );
    }
}
