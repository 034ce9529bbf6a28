//! SIMD kernels of the encoders: matrix products in f32 and int8, convolutions, activations.
//!
//! The code is generic over the vectors of [pulp], which selects AVX-512, AVX2, NEON or scalar code
//! at run time. Only the integer product (`tile_int8`) needs instructions that pulp lacks, and
//! `depthwise` loads without bounds checks: these two contain all unsafe code of the crate, each
//! with a scalar version.
//!
//! Inner loops over rows and vectors of a tile use indexes, not `zip`: depending on how rustc
//! splits the crate into codegen units, `Zip::new` is not inlined, the sums of the tile go through
//! memory, and texts take five times as long.

mod aligned;
mod depthwise;
mod epilogue;
mod half_rows;
mod int8;
mod linear;
mod matmul;
mod packed;
#[cfg(test)]
mod tests;
mod tile_int8;
mod vector;

pub use aligned::Aligned;
pub use depthwise::Depthwise;
pub use epilogue::{Activation, Epilogue, activate};
pub use half_rows::{HalfRows, dot};
pub use linear::Linear;
pub use matmul::{Place, Rows, matmul};
pub use packed::Packed;
pub use vector::{layer_norm, softmax};
