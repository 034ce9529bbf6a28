//! Convolutions with folded batch norm, as matrix products over patches or as depthwise
//! convolutions.

use super::map::{Map, Padding};
use crate::encode::kernels::{Activation, Aligned, Depthwise, Linear, Place, activate};
use crate::encode::weights::Weights;
use crate::encode::{ModelError, Precision};

/// Number of patches of one matrix product.
const PATCHES: usize = 64;

/// The batch norm after a convolution.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    pub name: &'a str,
    pub eps: f32,
}

/// Stride, padding and activation of a convolution.
#[derive(Clone, Copy)]
pub struct Steps {
    pub stride: usize,
    pub padding: Padding,
    pub activation: Activation,
}

/// A convolution.
pub struct Conv {
    kind: Kind,
    kernel: usize,
    steps: Steps,
    input: usize,
    output: usize,
}

enum Kind {
    /// One matrix product for each group, over all its channels.
    Dense(Vec<Linear>),
    /// A depthwise convolution.
    Depthwise(Depthwise),
}

impl Conv {
    /// Loads the tensor `name` `[output, input / groups, kernel, kernel]`, whose shape defines the
    /// convolution except for its `steps`. `input` is the number of input channels.
    ///
    /// # Errors
    /// The tensor is missing or has other input channels, or the norm is missing or of another
    /// size.
    pub fn load(
        w: &Weights,
        name: &str,
        norm: Option<Norm>,
        input: usize,
        steps: Steps,
    ) -> Result<Self, ModelError> {
        let weight_name = format!("{name}.weight");
        let shape = w.shape(&weight_name).unwrap_or_default();
        let is_valid = matches!(
            shape[..],
            [_, width, k, l] if k == l && k > 0 && width > 0 && input.is_multiple_of(width)
        );
        let (output, width, kernel) = if is_valid {
            (shape[0], shape[1], shape[2])
        } else {
            return Err(w.misfit(&weight_name, format!("[_, {input} or a divisor, k, k]")));
        };
        let groups = input / width;
        if output == 0 || !output.is_multiple_of(groups) {
            return Err(w.misfit(&weight_name, format!("[a multiple of {groups}, _, k, k]")));
        }
        let mut weight = w.flat(&weight_name, &shape)?;
        let bias = bias(w, name, norm, &mut weight, output)?;
        let depthwise = width == 1
            && output == input
            && matches!(kernel, 3 | 5 | 7)
            && matches!(steps.stride, 1 | 2);
        let kind = if depthwise {
            let range = steps.activation.range();
            Kind::Depthwise(Depthwise::new(&weight, bias, kernel, steps.stride, range))
        } else {
            let patches = by_pixel(&weight, width, kernel * kernel);
            let (rows, values) = (output / groups, width * kernel * kernel);
            let group = |group: usize| {
                let weight = &patches[group * rows * values..(group + 1) * rows * values];
                let bias = bias[group * rows..(group + 1) * rows].to_vec();
                Linear::new(weight, bias, steps.activation, Precision::F32)
            };
            Kind::Dense((0..groups).map(group).collect())
        };
        Ok(Self {
            kind,
            kernel,
            steps,
            input,
            output,
        })
    }

    /// Number of output channels.
    pub fn output(&self) -> usize {
        self.output
    }

    /// Applies the convolution to a map.
    pub fn forward(&self, map: &Map) -> Map {
        let (side, before, all) =
            self.steps
                .padding
                .around(map.side, self.kernel, self.steps.stride);
        let mut out = Map::zeros(side, self.output);
        if let (Kind::Dense(groups), 1, 1) = (&self.kind, self.kernel, self.steps.stride)
            && let [linear] = &groups[..]
        {
            linear.forward(&map.data, &mut out.data);
            return out;
        }
        let framed;
        let frame = if all == 0 {
            map
        } else {
            framed = map.framed(before, all, 0.0);
            &framed
        };
        match &self.kind {
            Kind::Depthwise(convolution) => {
                let line = frame.side * self.input;
                for (y, row) in out.data.chunks_exact_mut(side * self.output).enumerate() {
                    let rows = &frame.data[y * self.steps.stride * line..];
                    convolution.row(&rows[..self.kernel * line], frame.side, row);
                }
                if self.steps.activation.range() == Activation::Identity.range() {
                    activate(&mut out.data, self.steps.activation);
                }
            }
            Kind::Dense(groups) => self.dense(groups, frame, &mut out),
        }
        out
    }

    fn dense(&self, groups: &[Linear], frame: &Map, out: &mut Map) {
        let (width, rows) = (self.input / groups.len(), self.output / groups.len());
        let wide = self.kernel * self.kernel * width;
        let mut patches = Aligned::zeros(PATCHES * wide);
        for (number, pixels) in out.data.chunks_mut(PATCHES * self.output).enumerate() {
            let count = pixels.len() / self.output;
            for (group, linear) in groups.iter().enumerate() {
                for (index, patch) in patches.chunks_exact_mut(wide).take(count).enumerate() {
                    let index = number * PATCHES + index;
                    let top = index / out.side * self.steps.stride;
                    let left = index % out.side * self.steps.stride;
                    for (ky, line) in patch.chunks_exact_mut(self.kernel * width).enumerate() {
                        let start = ((top + ky) * frame.side + left) * self.input;
                        if groups.len() == 1 {
                            line.copy_from_slice(&frame.data[start..start + line.len()]);
                            continue;
                        }
                        for (kx, pixel) in line.chunks_exact_mut(width).enumerate() {
                            let start = start + kx * self.input + group * width;
                            pixel.copy_from_slice(&frame.data[start..start + width]);
                        }
                    }
                }
                linear.forward_to(
                    &patches[..count * wide],
                    &mut pixels[group * rows..],
                    Place::rows(self.output),
                );
            }
        }
    }
}

/// Returns the bias of a convolution with its norm folded in, and folds the norm into `weight`.
fn bias(
    w: &Weights,
    name: &str,
    norm: Option<Norm>,
    weight: &mut [f32],
    output: usize,
) -> Result<Vec<f32>, ModelError> {
    let bias_name = format!("{name}.bias");
    let mut bias = if w.contains(&bias_name) {
        w.flat(&bias_name, &[output])?
    } else {
        vec![0.0; output]
    };
    let Some(Norm { name, eps }) = norm else {
        return Ok(bias);
    };
    let parameter = |parameter: &str| w.flat(&format!("{name}.{parameter}"), &[output]);
    let (gamma, beta) = (parameter("weight")?, parameter("bias")?);
    let (mean, var) = (parameter("running_mean")?, parameter("running_var")?);
    let taps = weight.len() / output;
    for (channel, taps) in weight.chunks_exact_mut(taps).enumerate() {
        let scale = gamma[channel] / (var[channel] + eps).sqrt();
        taps.iter_mut().for_each(|v| *v *= scale);
        bias[channel] = beta[channel] + (bias[channel] - mean[channel]) * scale;
    }
    Ok(bias)
}

/// Transposes weights `[output, channels, taps]` to `[output, taps, channels]`, the memory order of
/// a patch.
fn by_pixel(weight: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(weight.len());
    for planes in weight.chunks_exact(channels * taps) {
        for tap in 0..taps {
            out.extend((0..channels).map(|channel| planes[channel * taps + tap]));
        }
    }
    out
}
