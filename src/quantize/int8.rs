//! One signed byte a component.

/// Least mean deviation of a component, in steps. Below, most components would fall on a handful of codes (a few
/// far outliers stretch the scale) and near vectors could not be told apart.
const LEAST_STEPS: f64 = 3.0;

/// Scalar quantisation: `round((x - mean) / step)`, with one step for all components, so that the squared distance
/// of two codes is the squared Euclidean distance of their vectors in units of `step * step`. For unit vectors that
/// is twice the cosine distance, so one code serves both metrics.
pub struct Int8 {
    mean: Vec<f32>,
    step: f64,
}

impl Int8 {
    /// Fits the codes to `vectors` of `dim` components; None where 8 bits cannot tell them apart.
    pub fn fit<'a>(dim: usize, vectors: impl Iterator<Item = &'a [f32]> + Clone) -> Option<Self> {
        let mut sums = vec![0.0_f64; dim];
        let mut count = 0.0_f64;
        for v in vectors.clone() {
            sums.iter_mut()
                .zip(v)
                .for_each(|(s, x)| *s += f64::from(*x));
            count += 1.0;
        }
        let mean: Vec<f32> = sums.iter().map(|s| (s / count) as f32).collect();
        let (mut largest, mut total) = (0.0_f64, 0.0_f64);
        for v in vectors {
            for (x, m) in v.iter().zip(&mean) {
                let deviation = (f64::from(*x) - f64::from(*m)).abs();
                largest = largest.max(deviation);
                total += deviation;
            }
        }
        let step = largest / f64::from(i8::MAX);
        let average = total / (count * dim as f64);
        (step > 0.0 && step.is_finite() && average >= LEAST_STEPS * step)
            .then_some(Self { mean, step })
    }

    /// Appends the code of `vector` to `out`; components beyond the fitted range are cut to it.
    pub fn encode(&self, vector: &[f32], out: &mut Vec<i8>) {
        out.extend(vector.iter().zip(&self.mean).map(|(x, m)| {
            let steps = (f64::from(*x) - f64::from(*m)) / self.step;
            steps.round().clamp(-127.0, 127.0) as i8
        }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::distance;

    #[test]
    fn outliers_that_stretch_the_scale_are_not_coded() {
        let mut rows = vec![vec![0.01_f32, -0.01, 0.02]; 100];
        assert!(
            Int8::fit(3, rows.iter().map(Vec::as_slice)).is_none(),
            "all the same"
        );
        rows.extend([vec![0.0, 0.01, 0.0], vec![1e6, 0.0, 0.0]]);
        assert!(Int8::fit(3, rows.iter().map(Vec::as_slice)).is_none());
        assert!(Int8::fit(3, std::iter::empty()).is_none());
    }

    proptest! {
        #[test]
        fn distances_of_codes_are_distances_of_vectors(
            rows in prop::collection::vec(prop::collection::vec(-5.0_f32..5.0, 33), 3..20)
        ) {
            let codes = Int8::fit(33, rows.iter().map(Vec::as_slice)).expect("evenly spread");
            let code = |v: &[f32]| { let mut out = Vec::new(); codes.encode(v, &mut out); out };
            for v in &rows {
                let coded = f64::from(distance::squared_l2_i8(&code(&rows[0]), &code(v))).sqrt() * codes.step;
                let exact = distance::scalar::l2(&rows[0], v);
                // Each component is off by half a step in either vector at most.
                prop_assert!((coded - exact).abs() <= codes.step * 33_f64.sqrt() + 1e-4, "{coded} {exact}");
            }
        }
    }
}
