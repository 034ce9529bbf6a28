//! Inner loops of [`super::int8`] for AVX-512 VNNI, AVX-VNNI and portable Rust, with equal results.

use super::packed::WIDTH;

/// Number of rows of a tile.
pub const ROWS: usize = 8;
/// Number of products that one instruction adds up in a lane.
pub const LANE_PRODUCTS: usize = 4;
/// Columns of a vector for every kernel; vectors of [`pulp`] are not wider.
pub const LANES: usize = 16;
/// Number of columns of the widest tile.
pub const MAX_COLUMNS: usize = WIDTH * LANES;
/// A tile of sums, as floats.
pub type Sums = [[f32; MAX_COLUMNS]; ROWS];

/// Inner loop for a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// 512 bits.
    Avx512Vnni,
    /// 256 bits.
    AvxVnni,
    /// Plain Rust.
    Portable,
}

impl Kernel {
    /// Returns the fastest kernel of this machine.
    pub fn best() -> Self {
        let all = [Self::Avx512Vnni, Self::AvxVnni];
        all.into_iter()
            .find(|k| k.is_there())
            .unwrap_or(Self::Portable)
    }

    /// Returns true if this machine supports the kernel.
    pub fn is_there(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512Vnni => {
                return std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512vnni");
            }
            Self::AvxVnni => {
                return std::is_x86_feature_detected!("avx2")
                    && std::is_x86_feature_detected!("avxvnni");
            }
            Self::Portable => {}
        }
        self == Self::Portable
    }

    /// Computes the sums of each row times each column of `panel`, which is `vectors` wide.
    #[inline(always)]
    pub fn run(self, rows: [&[u8]; ROWS], panel: &[i8], vectors: usize, sums: &mut Sums) {
        let len = panel.len() / (vectors * LANES);
        assert!(len.is_multiple_of(LANE_PRODUCTS) && panel.len() == len * vectors * LANES);
        assert!(rows.iter().all(|row| row.len() == len));
        match self {
            // SAFETY: `best` selected the kernel after detecting its CPU features; the lengths are
            // checked above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe {
                match vectors {
                    3 => x86::avx512::<3>(rows, panel, sums),
                    2 => x86::avx512::<2>(rows, panel, sums),
                    _ => x86::avx512::<1>(rows, panel, sums),
                }
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe {
                for (rows, sums) in rows
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .zip(sums.as_chunks_mut::<2>().0)
                {
                    match vectors {
                        3 => x86::avx2::<6>(*rows, panel, sums),
                        2 => x86::avx2::<4>(*rows, panel, sums),
                        _ => x86::avx2::<2>(*rows, panel, sums),
                    }
                }
            },
            _ => portable(rows, panel, vectors * LANES, sums),
        }
    }
}

/// Scalar version of the kernels.
#[inline(always)]
fn portable(rows: [&[u8]; ROWS], panel: &[i8], columns: usize, sums: &mut Sums) {
    for (row, out) in rows.into_iter().zip(sums) {
        let mut totals = [0i32; MAX_COLUMNS];
        for (left, right) in row
            .chunks_exact(LANE_PRODUCTS)
            .zip(panel.chunks_exact(columns * LANE_PRODUCTS))
        {
            for (total, right) in totals.iter_mut().zip(right.chunks_exact(LANE_PRODUCTS)) {
                for (l, r) in left.iter().zip(right) {
                    *total += i32::from(*l) * i32::from(*r);
                }
            }
        }
        for (out, total) in out.iter_mut().zip(totals) {
            *out = total as f32;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{LANE_PRODUCTS, MAX_COLUMNS, ROWS, Sums};

    /// # Safety
    /// All rows have the same length, a multiple of [`LANE_PRODUCTS`], and the panel has this
    /// length for each of its 16 * `V` columns.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub unsafe fn avx512<const V: usize>(rows: [&[u8]; ROWS], panel: &[i8], sums: &mut Sums) {
        let mut totals = [[_mm512_setzero_si512(); V]; ROWS];
        for step in 0..rows[0].len() / LANE_PRODUCTS {
            // SAFETY: `step` is below the number of steps of the panel and of each row.
            unsafe {
                let right = panel.as_ptr().add(step * V * 64);
                let right: [__m512i; V] =
                    std::array::from_fn(|v| _mm512_loadu_si512(right.add(v * 64).cast()));
                for row in 0..ROWS {
                    let left = _mm512_set1_epi32(
                        rows[row]
                            .as_ptr()
                            .add(step * LANE_PRODUCTS)
                            .cast::<i32>()
                            .read_unaligned(),
                    );
                    for v in 0..V {
                        totals[row][v] = _mm512_dpbusd_epi32(totals[row][v], left, right[v]);
                    }
                }
            }
        }
        for (totals, out) in totals.into_iter().zip(sums) {
            for (total, out) in totals.into_iter().zip(out.as_chunks_mut::<16>().0) {
                // SAFETY: `out` is 16 floats.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_cvtepi32_ps(total)) };
            }
        }
    }

    /// # Safety
    /// As [`avx512`], with 8 * `V` columns.
    #[target_feature(enable = "avx2,avxvnni")]
    pub unsafe fn avx2<const V: usize>(
        rows: [&[u8]; 2],
        panel: &[i8],
        sums: &mut [[f32; MAX_COLUMNS]; 2],
    ) {
        let mut totals = [[_mm256_setzero_si256(); V]; 2];
        for step in 0..rows[0].len() / LANE_PRODUCTS {
            // SAFETY: `step` is below the number of steps of the panel and of each row.
            unsafe {
                let right = panel.as_ptr().add(step * V * 32);
                let right: [__m256i; V] =
                    std::array::from_fn(|v| _mm256_loadu_si256(right.add(v * 32).cast()));
                for row in 0..2 {
                    let left = _mm256_set1_epi32(
                        rows[row]
                            .as_ptr()
                            .add(step * LANE_PRODUCTS)
                            .cast::<i32>()
                            .read_unaligned(),
                    );
                    for v in 0..V {
                        totals[row][v] = _mm256_dpbusd_avx_epi32(totals[row][v], left, right[v]);
                    }
                }
            }
        }
        for (totals, out) in totals.into_iter().zip(sums) {
            for (total, out) in totals.into_iter().zip(out.as_chunks_mut::<8>().0) {
                // SAFETY: `out` is 8 floats.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_cvtepi32_ps(total)) };
            }
        }
    }
}
