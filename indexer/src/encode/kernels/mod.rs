//! Vector code of the encoders: products of matrices in f32 and int8 and what surrounds them.
//!
//! Written once over the vectors of [pulp], which picks AVX-512, AVX2, NEON or plain floats at run time. Only the
//! integer product (`tile_int8`) needs instructions that pulp has not, and `depthwise` loads without a check of each bound: these two hold
//! all unsafe code of the crate, each with a scalar twin.

mod aligned;
mod depthwise;
mod epilogue;
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
pub use linear::Linear;
pub use matmul::{Place, Rows, matmul};
pub use packed::Packed;
pub use vector::{layer_norm, softmax};
