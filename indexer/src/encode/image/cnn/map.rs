//! Feature maps, and their operations without weights.

use crate::encode::kernels::Aligned;

/// A square feature map, channels last: `[side * side, channels]`.
pub struct Map {
    pub data: Aligned<f32>,
    pub side: usize,
    pub channels: usize,
}

/// Padding of a map before a convolution or a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The same number of pixels on each side.
    Even(usize),
    /// TensorFlow's SAME: the output has a pixel for each step, and an odd pixel of padding is
    /// below and right.
    Same,
}

impl Padding {
    /// Returns the padding of torch's networks for a kernel of this side.
    pub fn half(kernel: usize) -> Self {
        Self::Even((kernel - 1) / 2)
    }

    /// Returns (side of the output, pixels above and left, pixels in total) for a map of this side.
    pub fn around(self, side: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
        match self {
            Self::Even(pixels) => {
                let output = (side + 2 * pixels).saturating_sub(kernel) / stride + 1;
                (output, pixels, 2 * pixels)
            }
            Self::Same => {
                let output = side.div_ceil(stride);
                let all = ((output - 1) * stride + kernel).saturating_sub(side);
                (output, all / 2, all)
            }
        }
    }
}

impl Map {
    /// Returns a map of zeros.
    pub fn zeros(side: usize, channels: usize) -> Self {
        Self {
            data: Aligned::zeros(side * side * channels),
            side,
            channels,
        }
    }

    /// Iterates over the pixels `[channels]`.
    pub fn pixels(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.channels)
    }

    /// Returns the map padded with the value `fill`: `before` pixels above and left, `all` in total
    /// in each direction.
    pub fn framed(&self, before: usize, all: usize, fill: f32) -> Self {
        let mut framed = Self::zeros(self.side + all, self.channels);
        if fill != 0.0 {
            framed.data.fill(fill);
        }
        let (line, wide) = (self.side * self.channels, framed.side * self.channels);
        for (y, row) in self.data.chunks_exact(line).enumerate() {
            let start = (y + before) * wide + before * self.channels;
            framed.data[start..start + line].copy_from_slice(row);
        }
        framed
    }

    /// Max pooling, 3 x 3 with stride 2.
    pub fn max_pooled(&self) -> Self {
        let (output, before, all) = Padding::Even(1).around(self.side, 3, 2);
        let framed = self.framed(before, all, f32::NEG_INFINITY);
        let mut pooled = Self::zeros(output, self.channels);
        pooled.data.fill(f32::NEG_INFINITY);
        pooled.gather(&framed, 3, 2, |max, x| *max = max.max(x));
        pooled
    }

    /// Average pooling, 2 x 2 with stride 2; padding does not count.
    pub fn mean_pooled(&self) -> Self {
        let output = self.side.div_ceil(2);
        let framed = self.framed(0, output * 2 - self.side, 0.0);
        let mut pooled = Self::zeros(output, self.channels);
        pooled.gather(&framed, 2, 2, |sum, x| *sum += x);
        let covered = |i: usize| if 2 * i + 1 < self.side { 2.0 } else { 1.0 };
        for (index, pixel) in pooled.data.chunks_exact_mut(self.channels).enumerate() {
            let area = covered(index / output) * covered(index % output);
            pixel.iter_mut().for_each(|x| *x /= area);
        }
        pooled
    }

    fn gather(&mut self, framed: &Self, kernel: usize, stride: usize, add: impl Fn(&mut f32, f32)) {
        let (side, channels) = (self.side, self.channels);
        for (index, pixel) in self.data.chunks_exact_mut(channels).enumerate() {
            for tap in 0..kernel * kernel {
                let y = index / side * stride + tap / kernel;
                let x = index % side * stride + tap % kernel;
                let from = &framed.data[(y * framed.side + x) * channels..][..channels];
                pixel.iter_mut().zip(from).for_each(|(to, x)| add(to, *x));
            }
        }
    }

    /// Returns the mean of all pixels, `[channels]`.
    pub fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0f32; self.channels];
        for pixel in self.pixels() {
            mean.iter_mut().zip(pixel).for_each(|(m, x)| *m += x);
        }
        let area = (self.side * self.side) as f32;
        mean.iter_mut().for_each(|m| *m /= area);
        mean
    }

    /// Adds another map of the same shape.
    pub fn add(&mut self, other: &Self) {
        let values = self.data.iter_mut().zip(&other.data[..]);
        values.for_each(|(x, y)| *x += y);
    }

    /// Applies ReLU.
    pub fn relu(&mut self) {
        self.data.iter_mut().for_each(|x| *x = x.max(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(side: usize, values: &[f32]) -> Map {
        let mut map = Map::zeros(side, values.len() / (side * side));
        map.data.copy_from_slice(values);
        map
    }

    #[test]
    fn pooling_counts_only_pixels_that_are_there() {
        let three = map(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, -9.0]);
        assert_eq!(three.mean_pooled().data[..], [3.0, 4.5, 7.5, -9.0]);
        assert_eq!(three.max_pooled().data[..], [5.0, 6.0, 8.0, 8.0]);
        let negative = map(1, &[-1.0, -2.0]);
        assert_eq!(negative.max_pooled().data[..], [-1.0, -2.0]);
    }

    #[test]
    fn same_padding_puts_the_odd_pixel_last() {
        assert_eq!(Padding::Same.around(224, 3, 2), (112, 0, 1));
        assert_eq!(Padding::Even(1).around(224, 3, 2), (112, 1, 2));
        assert_eq!(Padding::Same.around(7, 5, 1), (7, 2, 4));
    }
}
