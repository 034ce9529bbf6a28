//! Forward and backward pass of a GRU over one sequence. Written out, because candle needs several
//! times as long for the many small products; the tests compare both passes with candle's.

/// Number of gates with weights: reset, update, candidate.
const GATES: usize = 3;

/// Weights of a layer, row-major, or their gradients; see [`vitrine::cf::GruWeights`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    /// Length of an input and of the state.
    pub dim: usize,
    /// `dim` x 3 `dim`.
    pub input: Vec<f32>,
    pub input_bias: Vec<f32>,
    /// `dim` x 3 `dim`.
    pub recurrent: Vec<f32>,
    pub recurrent_bias: Vec<f32>,
}

impl Layer {
    /// Returns a layer of zeros.
    pub fn zeros(dim: usize) -> Self {
        Self {
            dim,
            input: vec![0.0; GATES * dim * dim],
            input_bias: vec![0.0; GATES * dim],
            recurrent: vec![0.0; GATES * dim * dim],
            recurrent_bias: vec![0.0; GATES * dim],
        }
    }

    /// Returns the weights by part.
    pub fn parts_mut(&mut self) -> [&mut Vec<f32>; 4] {
        [
            &mut self.input,
            &mut self.input_bias,
            &mut self.recurrent,
            &mut self.recurrent_bias,
        ]
    }
}

/// Values of a forward pass that the backward pass needs.
#[derive(Default)]
pub(super) struct Trace {
    /// Steps x 3 `dim`: gates r, z and n.
    gates: Vec<f32>,
    /// Steps x `dim`: the product of the state for the candidate.
    inner: Vec<f32>,
    /// (Steps + 1) x `dim`: the states, zeros first.
    pub states: Vec<f32>,
}

/// Adds `factor` times `row` to `out`.
#[inline(always)]
pub(super) fn add_scaled(out: &mut [f32], factor: f32, row: &[f32]) {
    for (out, x) in out.iter_mut().zip(row) {
        *out += factor * x;
    }
}

/// Adds the product of `x` and a matrix to `out`.
#[inline(always)]
pub(super) fn product(x: &[f32], matrix: &[f32], out: &mut [f32]) {
    for (x, row) in x.iter().zip(matrix.chunks_exact(out.len())) {
        add_scaled(out, *x, row);
    }
}

/// Returns a transposed matrix.
#[inline(always)]
pub(super) fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns.max(1);
    let mut out = vec![0.0; matrix.len()];
    for (r, row) in matrix.chunks_exact(columns).enumerate() {
        for (c, x) in row.iter().enumerate() {
            out[c * rows + r] = *x;
        }
    }
    out
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl Trace {
    /// Reads inputs, steps x `dim`, from the state 0.
    #[inline(always)]
    pub fn forward(&mut self, layer: &Layer, inputs: &[f32]) {
        let dim = layer.dim;
        let steps = inputs.len() / dim;
        self.gates.clear();
        self.gates.resize(steps * GATES * dim, 0.0);
        self.inner.clear();
        self.inner.resize(steps * dim, 0.0);
        self.states.clear();
        self.states.resize((steps + 1) * dim, 0.0);
        let mut recurrent = vec![0.0; GATES * dim];
        for step in 0..steps {
            let gates = &mut self.gates[step * GATES * dim..][..GATES * dim];
            let inner = &mut self.inner[step * dim..][..dim];
            let (before, after) = self.states[step * dim..].split_at_mut(dim);
            gates.copy_from_slice(&layer.input_bias);
            product(&inputs[step * dim..][..dim], &layer.input, gates);
            recurrent.copy_from_slice(&layer.recurrent_bias);
            product(before, &layer.recurrent, &mut recurrent);
            for (n, state) in after[..dim].iter_mut().enumerate() {
                let reset = sigmoid(gates[n] + recurrent[n]);
                let update = sigmoid(gates[dim + n] + recurrent[dim + n]);
                inner[n] = recurrent[2 * dim + n];
                let candidate = (gates[2 * dim + n] + reset * inner[n]).tanh();
                *state = (1.0 - update) * candidate + update * before[n];
                (gates[n], gates[dim + n], gates[2 * dim + n]) = (reset, update, candidate);
            }
        }
    }

    /// Adds the gradients of the layer to `gradient`, and returns those of the inputs. `of_states`
    /// has the gradients of the states after each step; `input_t` and `recurrent_t` are the
    /// transposed weights.
    #[inline(always)]
    pub fn backward(
        &self,
        (dim, input_t, recurrent_t): (usize, &[f32], &[f32]),
        inputs: &[f32],
        of_states: &[f32],
        gradient: &mut Layer,
    ) -> Vec<f32> {
        let steps = inputs.len() / dim;
        let mut of_inputs = vec![0.0; inputs.len()];
        let (mut of_state, mut of_before) = (vec![0.0; dim], vec![0.0; dim]);
        let (mut of_a, mut of_b) = (vec![0.0; GATES * dim], vec![0.0; GATES * dim]);
        for step in (0..steps).rev() {
            let gates = &self.gates[step * GATES * dim..][..GATES * dim];
            let inner = &self.inner[step * dim..][..dim];
            let before = &self.states[step * dim..][..dim];
            add_scaled(&mut of_state, 1.0, &of_states[step * dim..][..dim]);
            for (n, of_before) in of_before.iter_mut().enumerate() {
                let (reset, update) = (gates[n], gates[dim + n]);
                let candidate = gates[2 * dim + n];
                let through = of_state[n] * (1.0 - update) * (1.0 - candidate * candidate);
                let of_reset = through * inner[n] * reset * (1.0 - reset);
                let of_update = of_state[n] * (before[n] - candidate) * update * (1.0 - update);
                (of_a[n], of_b[n]) = (of_reset, of_reset);
                (of_a[dim + n], of_b[dim + n]) = (of_update, of_update);
                (of_a[2 * dim + n], of_b[2 * dim + n]) = (through, through * reset);
                *of_before = of_state[n] * update;
            }
            let input = &inputs[step * dim..][..dim];
            for (x, row) in input
                .iter()
                .zip(gradient.input.chunks_exact_mut(GATES * dim))
            {
                add_scaled(row, *x, &of_a);
            }
            for (x, row) in before
                .iter()
                .zip(gradient.recurrent.chunks_exact_mut(GATES * dim))
            {
                add_scaled(row, *x, &of_b);
            }
            add_scaled(&mut gradient.input_bias, 1.0, &of_a);
            add_scaled(&mut gradient.recurrent_bias, 1.0, &of_b);
            product(&of_a, input_t, &mut of_inputs[step * dim..][..dim]);
            product(&of_b, recurrent_t, &mut of_before);
            std::mem::swap(&mut of_state, &mut of_before);
        }
        of_inputs
    }
}
