//! [Adam](https://arxiv.org/abs/1412.6980) by rows: item vectors without a gradient in a batch are
//! not visited.

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;
const EPS: f32 = 1e-8;

/// Rate and bias corrections of one step.
#[derive(Clone, Copy)]
pub(super) struct Step {
    rate: f32,
    first: f32,
    second: f32,
}

impl Step {
    /// Returns step `number`, from 1.
    pub fn new(rate: f32, number: usize) -> Self {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            rate,
            first: 1.0 / (1.0 - BETA1.powi(number)),
            second: 1.0 / (1.0 - BETA2.powi(number)),
        }
    }
}

/// Moments of the gradients of one matrix.
#[derive(Clone)]
pub(super) struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Moments {
    /// Returns the moments of `len` numbers.
    pub fn new(len: usize) -> Self {
        Self {
            first: vec![0.0; len],
            second: vec![0.0; len],
        }
    }

    /// Changes `values`, which start at number `at` of the matrix, by their gradient.
    pub fn apply(&mut self, step: Step, at: usize, values: &mut [f32], gradient: &[f32]) {
        let moments = self.first[at..].iter_mut().zip(&mut self.second[at..]);
        for ((value, g), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            *first = BETA1 * *first + (1.0 - BETA1) * g;
            *second = BETA2 * *second + (1.0 - BETA2) * g * g;
            *value -= step.rate * *first * step.first / ((*second * step.second).sqrt() + EPS);
        }
    }
}
