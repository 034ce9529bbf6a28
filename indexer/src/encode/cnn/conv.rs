//! Convolutions with their batch norm folded in, as products over patches, or channel by channel.

use super::super::kernels::{Activation, Aligned, Depthwise, Linear, Place, activate};
use super::super::weights::Weights;
use super::super::{ModelError, Precision};
use super::map::{Map, Padding};

/// Patches of a product at once.
const PATCHES: usize = 64;

/// The batch norm behind a convolution.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    pub name: &'a str,
    pub eps: f32,
}

/// How a convolution walks and what follows.
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
    /// Products with all channels of a group, one a group.
    Dense(Vec<Linear>),
    /// Each channel by itself.
    Depthwise(Depthwise),
}

impl Conv {
    /// Of the tensor `name` `[output, input / groups, kernel, kernel]`, whose shape says all but how it walks.
    /// `input` is what it is given.
    ///
    /// # Errors
    /// The tensor is missing, or not for that input; the norm is missing or of another size.
    pub fn load(
        w: &Weights,
        name: &str,
        norm: Option<Norm>,
        input: usize,
        steps: Steps,
    ) -> Result<Self, ModelError> {
        let weight_name = format!("{name}.weight");
        let shape = w.shape(&weight_name).unwrap_or_default();
        let sound = matches!(shape[..], [_, part, k, l] if k == l && k > 0 && part > 0 && input.is_multiple_of(part));
        let (output, part, kernel) = if sound {
            (shape[0], shape[1], shape[2])
        } else {
            return Err(w.misfit(&weight_name, format!("[_, {input} or a part of it, k, k]")));
        };
        let groups = input / part;
        if output == 0 || !output.is_multiple_of(groups) {
            return Err(w.misfit(&weight_name, format!("[a multiple of {groups}, _, k, k]")));
        }
        let mut weight = w.flat(&weight_name, &shape)?;
        let bias = bias(w, name, norm, &mut weight, output)?;
        let depthwise = part == 1
            && output == input
            && matches!(kernel, 3 | 5 | 7)
            && matches!(steps.stride, 1 | 2);
        let kind = if depthwise {
            let range = steps.activation.range();
            Kind::Depthwise(Depthwise::new(&weight, bias, kernel, steps.stride, range))
        } else {
            let patches = by_pixel(&weight, part, kernel * kernel);
            let (rows, wide) = (output / groups, part * kernel * kernel);
            let group = |at: usize| {
                let weight = &patches[at * rows * wide..(at + 1) * rows * wide];
                let bias = bias[at * rows..(at + 1) * rows].to_vec();
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

    /// Channels of the map it makes.
    pub fn output(&self) -> usize {
        self.output
    }

    /// The map after it.
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
        let (part, rows) = (self.input / groups.len(), self.output / groups.len());
        let wide = self.kernel * self.kernel * part;
        let mut patches = Aligned::zeros(PATCHES * wide);
        for (number, pixels) in out.data.chunks_mut(PATCHES * self.output).enumerate() {
            let count = pixels.len() / self.output;
            for (group, linear) in groups.iter().enumerate() {
                for (at, patch) in patches.chunks_exact_mut(wide).take(count).enumerate() {
                    let at = number * PATCHES + at;
                    let top = at / out.side * self.steps.stride;
                    let left = at % out.side * self.steps.stride;
                    for (ky, line) in patch.chunks_exact_mut(self.kernel * part).enumerate() {
                        let start = ((top + ky) * frame.side + left) * self.input;
                        if groups.len() == 1 {
                            line.copy_from_slice(&frame.data[start..start + line.len()]);
                            continue;
                        }
                        for (kx, pixel) in line.chunks_exact_mut(part).enumerate() {
                            let start = start + kx * self.input + group * part;
                            pixel.copy_from_slice(&frame.data[start..start + part]);
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

/// The bias of a convolution with its norm, which is multiplied into `weight` too.
fn bias(
    w: &Weights,
    name: &str,
    norm: Option<Norm>,
    weight: &mut [f32],
    output: usize,
) -> Result<Vec<f32>, ModelError> {
    let own = format!("{name}.bias");
    let mut bias = if w.contains(&own) {
        w.flat(&own, &[output])?
    } else {
        vec![0.0; output]
    };
    let Some(Norm { name, eps }) = norm else {
        return Ok(bias);
    };
    let part = |part: &str| w.flat(&format!("{name}.{part}"), &[output]);
    let (gamma, beta) = (part("weight")?, part("bias")?);
    let (mean, var) = (part("running_mean")?, part("running_var")?);
    let taps = weight.len() / output;
    for (channel, taps) in weight.chunks_exact_mut(taps).enumerate() {
        let scale = gamma[channel] / (var[channel] + eps).sqrt();
        taps.iter_mut().for_each(|v| *v *= scale);
        bias[channel] = beta[channel] + (bias[channel] - mean[channel]) * scale;
    }
    Ok(bias)
}

/// Weights `[output, part, taps]` as `[output, taps, part]`: the order in which a patch lies in memory.
fn by_pixel(weight: &[f32], part: usize, taps: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(weight.len());
    for planes in weight.chunks_exact(part * taps) {
        for tap in 0..taps {
            out.extend((0..part).map(|channel| planes[channel * taps + tap]));
        }
    }
    out
}
