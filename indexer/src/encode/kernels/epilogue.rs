//! Epilogue of a matrix product: scale, bias and activation, applied when sums are stored.

use pulp::{Arch, Simd, WithSimd};

use super::vector;

/// Activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Identity.
    Identity,
    /// [Gaussian error linear unit](https://arxiv.org/abs/1606.08415), by the error function.
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// Clamped to 0..=6.
    Relu6,
    /// [`x * sigmoid(x)`](https://arxiv.org/abs/1702.03118), also called swish.
    Silu,
}

impl Activation {
    /// Returns the output range of an activation that only clamps; an unbounded range for the
    /// others.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::Identity | Self::Gelu | Self::Silu => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }

    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, value: S::f32s) -> S::f32s {
        match self {
            Self::Identity => value,
            Self::Gelu => vector::gelu(simd, value),
            Self::Relu => simd.max_f32s(value, simd.splat_f32s(0.0)),
            Self::Relu6 => vector::clamp(simd, value, 0.0, 6.0),
            Self::Silu => vector::silu(simd, value),
        }
    }
}

/// Applies an activation to all `values`, in place.
pub fn activate(values: &mut [f32], activation: Activation) {
    if activation != Activation::Identity {
        Arch::new().dispatch(Activate { values, activation });
    }
}

struct Activate<'a> {
    values: &'a mut [f32],
    activation: Activation,
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (head, tail) = S::as_mut_simd_f32s(self.values);
        for value in head {
            *value = self.activation.apply(simd, *value);
        }
        let value = self.activation.apply(simd, simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, value);
    }
}

/// `activation(scale * sum + bias)`, stored or added to the output.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    /// One value for each column; `None` is zero.
    pub bias: Option<&'a [f32]>,
    /// Factor of each sum.
    pub scale: f32,
    /// Applied after scale and bias.
    pub activation: Activation,
    /// True if the result is added to the output.
    pub add: bool,
}

impl Epilogue<'_> {
    /// Stores the plain sum.
    pub const NONE: Self = Self {
        bias: None,
        scale: 1.0,
        activation: Activation::Identity,
        add: false,
    };

    /// Stores vectors of a row, starting at column `start`; `out` has at most as many values.
    #[inline(always)]
    pub fn store<S: Simd, const VECTORS: usize>(
        &self,
        simd: S,
        sums: [S::f32s; VECTORS],
        start: usize,
        out: &mut [f32],
    ) {
        let scale = simd.splat_f32s(self.scale);
        let bias = self.bias.map(|b| &b[start..start + out.len()]);
        for (index, sum) in sums.into_iter().enumerate() {
            let from = (index * S::F32_LANES).min(out.len());
            let to = (from + S::F32_LANES).min(out.len());
            let bias = bias.map_or(simd.splat_f32s(0.0), |b| load(simd, &b[from..to]));
            let mut value = simd.mul_add_e_f32s(sum, scale, bias);
            value = self.activation.apply(simd, value);
            let out = &mut out[from..to];
            if self.add {
                value = simd.add_f32s(value, load(simd, out));
            }
            match S::as_mut_simd_f32s(out) {
                ([whole], _) => *whole = value,
                (_, part) => simd.partial_store_f32s(part, value),
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values) {
        ([whole], _) => *whole,
        (_, part) => simd.partial_load_f32s(part),
    }
}
