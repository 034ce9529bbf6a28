//! Plain loops compiled for the processor that runs them: the compiler vectorizes them with the
//! widest registers it has.

/// A loop. `run` must be `#[inline(always)]`, otherwise it is compiled for the baseline processor
/// only.
pub(super) trait Loop {
    /// Result of the loop.
    type Output;

    fn run(self) -> Self::Output;
}

/// Runs a loop compiled for AVX-512 or AVX2 if the processor supports them.
#[inline]
pub(super) fn with_best_simd<L: Loop>(work: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor has the features that the function is compiled for.
            return unsafe { avx512(work) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: as above.
            return unsafe { avx2(work) };
        }
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<L: Loop>(work: L) -> L::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<L: Loop>(work: L) -> L::Output {
    work.run()
}
