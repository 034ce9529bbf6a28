//! What happens to a product's sums on their way from registers to memory.

use pulp::{Arch, Simd, WithSimd};

use super::vector;

/// A function of the finished sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The sum itself.
    Identity,
    /// [Gaussian error linear unit](https://arxiv.org/abs/1606.08415), by the error function.
    Gelu,
    /// Not below 0.
    Relu,
    /// Clamped to 0..=6.
    Relu6,
    /// [`x * sigmoid(x)`](https://arxiv.org/abs/1702.03118), also called swish.
    Silu,
}

impl Activation {
    /// What it leaves of all values, where it only cuts them off; of the others: all.
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

/// An activation of all `values`, in place.
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

/// `activation(scale * sum + bias)`, stored or added to what is there.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    /// One value a column; none is zero.
    pub bias: Option<&'a [f32]>,
    /// Factor of each sum.
    pub scale: f32,
    /// Applied after scale and bias.
    pub activation: Activation,
    /// Whether the result is added to what is in memory.
    pub add: bool,
}

impl Epilogue<'_> {
    /// The sum as it is.
    pub const NONE: Self = Self {
        bias: None,
        scale: 1.0,
        activation: Activation::Identity,
        add: false,
    };

    /// Stores vectors of a row, the first of which is column `start`; `out` has no more values than they do.
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
        for (at, sum) in sums.into_iter().enumerate() {
            let from = (at * S::F32_LANES).min(out.len());
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
