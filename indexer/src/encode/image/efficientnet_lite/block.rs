//! Inverted residual block ([Sandler et al. 2018](https://arxiv.org/abs/1801.04381)): expansion,
//! depthwise convolution, projection.
//!
//! A block is computed in bands of a few rows, so that the wide pixels between its three steps stay
//! in the cache of the core.

use super::{Map, same_padding};
use crate::encode::kernels::{Aligned, Depthwise, Linear, Place};

/// Minimum number of pixels of a band, unless the map has fewer: products of fewer rows would be
/// bound by loading weights.
const BAND: usize = 64;

/// The three convolutions; the input is added if input and output have the same shape.
pub struct Block {
    /// `None` without expansion.
    pub expand: Option<Linear>,
    pub depthwise: Depthwise,
    pub project: Linear,
    /// Number of input channels.
    pub input: usize,
    /// Number of output channels.
    pub output: usize,
}

impl Block {
    /// Applies the block to a map.
    pub fn forward(&self, map: Map) -> Map {
        let (kernel, stride, wide) = (
            self.depthwise.kernel(),
            self.depthwise.stride(),
            self.depthwise.channels(),
        );
        let (side, before, padding) = same_padding(map.side, kernel, stride);
        let skip = stride == 1 && self.input == self.output;
        let height = BAND.div_ceil(side).min(side);
        let mut frame = Frame::new(
            map.side,
            before,
            padding,
            (height - 1) * stride + kernel,
            wide,
        );
        let mut band = Aligned::zeros(height * side * wide);
        let mut data = if skip {
            map.data.clone()
        } else {
            Aligned::zeros(side * side * self.output)
        };
        let line = frame.width * wide;
        for (number, out) in data.chunks_mut(height * side * self.output).enumerate() {
            let rows = out.len() / (side * self.output);
            frame.move_to(
                number * height * stride,
                (rows - 1) * stride + kernel,
                |from, to, lines| {
                    self.expand(&map, from, to, lines, frame_place(map.side, padding, wide));
                },
            );
            for (row, pixels) in band.chunks_exact_mut(side * wide).take(rows).enumerate() {
                self.depthwise.row(
                    &frame.data[row * stride * line..][..kernel * line],
                    frame.width,
                    pixels,
                );
            }
            let band = &band[..rows * side * wide];
            if skip {
                self.project.add(band, out);
            } else {
                self.project.forward(band, out);
            }
        }
        Map { data, side }
    }

    /// Writes rows `from..to` of the map, expanded, to lines of a frame.
    fn expand(&self, map: &Map, from: usize, to: usize, lines: &mut [f32], place: Place) {
        let row = map.side * self.input;
        let pixels = &map.data[from * row..to * row];
        match &self.expand {
            Some(expand) => expand.forward_to(pixels, lines, place),
            None => {
                let line = place.line * place.stride + place.gap;
                for (pixels, line) in pixels.chunks_exact(row).zip(lines.chunks_mut(line)) {
                    line[..row].copy_from_slice(pixels);
                }
            }
        }
    }
}

fn frame_place(side: usize, padding: usize, wide: usize) -> Place {
    Place {
        stride: wide,
        line: side,
        gap: padding * wide,
    }
}

/// A window of rows of a zero-padded map: `[rows, width, channels]`.
struct Frame {
    data: Aligned<f32>,
    /// Number of pixels of a row, padding included.
    width: usize,
    side: usize,
    before: usize,
    channels: usize,
    /// Rows of the padded map in the window.
    rows: std::ops::Range<usize>,
}

impl Frame {
    fn new(side: usize, before: usize, padding: usize, rows: usize, channels: usize) -> Self {
        let width = side + padding;
        Self {
            data: Aligned::zeros(rows * width * channels),
            width,
            side,
            before,
            channels,
            rows: 0..0,
        }
    }

    /// Moves the window to `count` rows of the padded map, starting at `first`. New rows are
    /// written by `fill(from, to, lines)`: rows of the map without padding to lines whose first
    /// pixel is at the start of `lines`.
    fn move_to(&mut self, first: usize, count: usize, fill: impl Fn(usize, usize, &mut [f32])) {
        let line = self.width * self.channels;
        let kept = self.rows.end.saturating_sub(first);
        self.data.copy_within(
            (first - self.rows.start).min(self.rows.len()) * line..self.rows.len() * line,
            0,
        );
        self.rows = first..first + count;
        let clamp = |row: usize| row.clamp(self.before, self.before + self.side);
        let (from, to) = (clamp(first + kept), clamp(first + count));
        // Padding above and below; the padding at the sides is never overwritten.
        self.data[kept * line..(from - first).max(kept) * line].fill(0.0);
        self.data[(to.max(first) - first) * line..count * line].fill(0.0);
        if from < to {
            let lines = &mut self.data[(from - first) * line + self.before * self.channels..];
            fill(from - self.before, to - self.before, lines);
        }
    }
}
