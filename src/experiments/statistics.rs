//! Tests and confidence intervals.

use vitrine_schemas::FigureDifference;

/// Level of significance.
pub(super) const LEVEL: f64 = 0.05;

/// Quantile of the normal distribution of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Ratio of two sums over independent users: numerator and denominator of each.
#[derive(Clone, Debug, Default)]
pub struct Ratio {
    users: f64,
    y: f64,
    n: f64,
    yy: f64,
    nn: f64,
    yn: f64,
}

impl Ratio {
    /// Adds a user.
    pub fn add(&mut self, y: f64, n: f64) {
        self.users += 1.0;
        self.y += y;
        self.n += n;
        self.yy += y * y;
        self.nn += n * n;
        self.yn += y * n;
    }

    /// Returns the ratio of the sums.
    pub fn value(&self) -> f64 {
        if self.n > 0.0 { self.y / self.n } else { 0.0 }
    }

    /// Returns the variance of the ratio by the delta method (Deng, Knoblich and Lu 2018); None of
    /// fewer than two users.
    pub fn variance(&self) -> Option<f64> {
        if self.users < 2.0 || self.n <= 0.0 {
            return None;
        }
        let ratio = self.value();
        // The mean of the residuals is 0.
        let residuals = self.yy - 2.0 * ratio * self.yn + ratio * ratio * self.nn;
        let correction = self.users / (self.users - 1.0);
        Some((residuals * correction).max(0.0) / (self.n * self.n))
    }

    /// Returns the 95 % confidence interval of the ratio; None of fewer than two users.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let error = Z * self.variance()?.sqrt();
        Some((self.value() - error, self.value() + error))
    }
}

/// Returns the difference of two ratios, tested against `level`; None of too few users.
pub(super) fn difference(control: &Ratio, other: &Ratio, level: f64) -> Option<FigureDifference> {
    let error = (control.variance()? + other.variance()?).sqrt();
    let difference = other.value() - control.value();
    let p_value = match (error > 0.0, difference == 0.0) {
        (true, _) => libm::erfc((difference / error).abs() / std::f64::consts::SQRT_2),
        (false, true) => 1.0,
        // All users are alike, in each of the variants.
        (false, false) => 0.0,
    };
    Some(FigureDifference {
        difference,
        low: difference - Z * error,
        high: difference + Z * error,
        p_value,
        significant: p_value < level,
    })
}

/// Returns the two-sided p-value of a sign test: the probability under equal chances of a split at
/// least as uneven.
pub(super) fn sign_test(a: u64, b: u64) -> f64 {
    let (n, least) = (a + b, a.min(b));
    let log_choose = |k: u64| {
        let log_factorial = |m: u64| libm::lgamma(m as f64 + 1.0);
        log_factorial(n) - log_factorial(k) - log_factorial(n - k)
    };
    let log_half = n as f64 * std::f64::consts::LN_2;
    // Terms grow with k; the smallest ones are below the precision of the sum.
    let terms = (0..=least).rev().map(|k| (log_choose(k) - log_half).exp());
    let tail: f64 = terms.take_while(|term| *term > 1e-20).sum();
    (2.0 * tail).min(1.0)
}

/// Returns the 95 % confidence interval of a share (Wilson 1927).
pub(super) fn wilson(part: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (all as f64, part as f64 / all as f64);
    let center = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    ((center - spread) / scale, (center + spread) / scale)
}
