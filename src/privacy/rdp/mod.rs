//! Account of private training: Renyi differential privacy of the Gaussian mechanism on a Poisson
//! sample ([Mironov, Talwar and Zhang 2019](https://arxiv.org/abs/1908.10530)).
//!
//! In each step every unit is in the sample with probability `q`, on its own; the sum of their
//! gradients, each of norm 1 at most, gets Gaussian noise of scale `sigma`. Costs of steps add up
//! by order ([Mironov 2017](https://arxiv.org/abs/1702.07476)).

#[cfg(test)]
mod tests;

use libm::erfc;

/// Terms of a series after which it is cut off if it did not converge: the order is left out.
const MAX_TERMS: usize = 1_000;

/// Logarithm below the largest term at which a series is cut off.
const NEGLIGIBLE: f64 = -30.0;

/// Orders of the account; those of `dp-accounting`.
fn orders() -> impl Iterator<Item = f64> {
    let fractional = (1..100).map(|n| 1.0 + f64::from(n) / 10.0);
    let whole = (11..64).chain([128, 256, 512, 1024]).map(f64::from);
    fractional.chain(whole)
}

/// Returns the epsilon of `steps` steps at `delta`: sampling probability `q` (0 to 1), noise
/// multiplier `sigma`. Infinite without noise.
pub fn sampled_gaussian_epsilon(q: f64, sigma: f64, steps: u32, delta: f64) -> f64 {
    let epsilon = |order: f64| {
        let rdp = f64::from(steps) * divergence(q, sigma, order);
        // Balle et al. 2020, theorem 21; Canonne et al. 2020, proposition 12.
        let epsilon = rdp + (1.0 - 1.0 / order).ln() - (delta * order).ln() / (order - 1.0);
        // With this little divergence the total variation alone is within delta.
        match delta * delta + (-rdp).exp_m1() > 0.0 {
            true => 0.0,
            false => epsilon.max(0.0),
        }
    };
    orders().map(epsilon).fold(f64::INFINITY, f64::min)
}

/// Returns the least noise multiplier with which `steps` steps cost at most (`epsilon`, `delta`);
/// `None` if no multiplier up to 1,000 does.
pub fn noise_multiplier(q: f64, steps: u32, epsilon: f64, delta: f64) -> Option<f64> {
    let is_within = |sigma: f64| sampled_gaussian_epsilon(q, sigma, steps, delta) <= epsilon;
    let (mut low, mut high) = (0.0, 1_000.0);
    if !is_within(high) {
        return None;
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        match is_within(middle) {
            true => high = middle,
            false => low = middle,
        }
    }
    Some(high)
}

/// Returns the Renyi divergence of order `order` of one step.
fn divergence(q: f64, sigma: f64, order: f64) -> f64 {
    if q <= 0.0 {
        return 0.0;
    }
    if sigma <= 0.0 {
        return f64::INFINITY;
    }
    if q >= 1.0 {
        return order / (2.0 * sigma * sigma);
    }
    let log_a = match order.fract() == 0.0 {
        true => log_a_whole(q, sigma, order as u32),
        false => log_a_fractional(q, sigma, order),
    };
    log_a / (order - 1.0)
}

/// Logarithm of the moment of a whole order: a finite sum (section 3.3 there).
fn log_a_whole(q: f64, sigma: f64, order: u32) -> f64 {
    let mut log_choose = 0.0;
    let mut sum = f64::NEG_INFINITY;
    for k in 0..=order {
        let kf = f64::from(k);
        let rest = f64::from(order - k);
        let exponent = kf * (kf - 1.0) / (2.0 * sigma * sigma);
        sum = log_add(
            sum,
            log_choose + kf * q.ln() + rest * (-q).ln_1p() + exponent,
        );
        log_choose += (rest / (kf + 1.0)).ln();
    }
    sum
}

/// Logarithm of the moment of a fractional order: two series over the halves of the line, whose
/// binomial coefficients have signs.
fn log_a_fractional(q: f64, sigma: f64, order: f64) -> f64 {
    let z0 = sigma * sigma * (1.0 / q - 1.0).ln() + 0.5;
    let (mut low, mut high) = (SignedLog::ZERO, SignedLog::ZERO);
    // The binomial coefficient of order over i, as sign and logarithm.
    let (mut sign, mut log_coefficient) = (1.0, 0.0);
    for i in 0..MAX_TERMS {
        let i = i as f64;
        let j = order - i;
        let below = log_coefficient
            + i * q.ln()
            + j * (-q).ln_1p()
            + (i * i - i) / (2.0 * sigma * sigma)
            + log_half_erfc((i - z0) / (std::f64::consts::SQRT_2 * sigma));
        let above = log_coefficient
            + j * q.ln()
            + i * (-q).ln_1p()
            + (j * j - j) / (2.0 * sigma * sigma)
            + log_half_erfc((z0 - j) / (std::f64::consts::SQRT_2 * sigma));
        low = low.plus(sign, below);
        high = high.plus(sign, above);
        if i > order && below.max(above) < low.log.max(high.log) + NEGLIGIBLE {
            return log_add(low.log, high.log);
        }
        let factor = (order - i) / (i + 1.0);
        sign *= factor.signum();
        log_coefficient += factor.abs().ln();
    }
    f64::INFINITY
}

/// Logarithm of half the complementary error function, by an asymptotic series where it underflows.
fn log_half_erfc(x: f64) -> f64 {
    if x < 25.0 {
        return (0.5 * erfc(x)).ln();
    }
    let square = 1.0 / (x * x);
    let series = 1.0 - 0.5 * square + 0.75 * square * square;
    -x * x - x.ln() - 0.5 * std::f64::consts::PI.ln() + series.ln() - std::f64::consts::LN_2
}

/// A positive number as its logarithm, from terms with signs.
#[derive(Clone, Copy)]
struct SignedLog {
    log: f64,
}

impl SignedLog {
    const ZERO: Self = Self {
        log: f64::NEG_INFINITY,
    };

    /// Adds a term; partial sums of the series are positive.
    fn plus(self, sign: f64, log: f64) -> Self {
        if sign >= 0.0 {
            return Self {
                log: log_add(self.log, log),
            };
        }
        match self.log > log {
            true => Self {
                log: self.log + (-(log - self.log).exp()).ln_1p(),
            },
            false => Self::ZERO,
        }
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = (a.max(b), a.min(b));
    if low == f64::NEG_INFINITY {
        return high;
    }
    high + (low - high).exp().ln_1p()
}
