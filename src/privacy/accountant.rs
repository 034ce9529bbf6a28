//! Conversion between zero-concentrated differential privacy and (epsilon, delta).
//!
//! Releases add up in zCDP (Bun and Steinke 2016): a mechanism is rho-zCDP if its Renyi divergence
//! of every order alpha > 1 is at most `alpha * rho`. The conversion is that of Canonne, Kamath and
//! Steinke, "The Discrete Gaussian for Differential Privacy" (2020), proposition 12, which is
//! tighter than `epsilon = rho + 2 sqrt(rho ln(1/delta))`.

/// Range of `ln(alpha - 1)` that is searched for the best order.
const LOG_ORDERS: (f64, f64) = (-20.0, 40.0);

/// Steps of a search by bisection or golden section: enough for the precision of f64.
const STEPS: usize = 200;

/// Returns the smallest delta such that `rho`-zCDP implies (`epsilon`, delta).
pub(super) fn delta_of(rho: f64, epsilon: f64) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    let log_delta = |log_order: f64| {
        let above_one = log_order.exp();
        let order = 1.0 + above_one;
        // (1 - 1/alpha)^alpha, with 1 - 1/alpha = (alpha - 1) / alpha.
        above_one * (order * rho - epsilon) - log_order + order * (log_order - order.ln())
    };
    least(log_delta, LOG_ORDERS).exp().min(1.0)
}

/// Returns the smallest epsilon such that `rho`-zCDP implies (epsilon, `delta`).
pub fn epsilon_of(rho: f64, delta: f64) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    // The simple conversion is an upper bound.
    let mut range = (0.0, rho + 2.0 * (rho * (1.0 / delta).ln()).sqrt());
    for _ in 0..STEPS {
        let middle = f64::midpoint(range.0, range.1);
        match delta_of(rho, middle) <= delta {
            true => range.1 = middle,
            false => range.0 = middle,
        }
    }
    range.1
}

/// Returns the largest rho such that rho-zCDP implies (`epsilon`, `delta`).
pub fn rho_of(epsilon: f64, delta: f64) -> f64 {
    // At rho = epsilon, even the expected loss is epsilon.
    let mut range = (0.0, epsilon + 1.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(range.0, range.1);
        match delta_of(middle, epsilon) <= delta {
            true => range.0 = middle,
            false => range.1 = middle,
        }
    }
    range.0
}

/// Returns the least value of a function with one minimum, by golden section.
fn least(f: impl Fn(f64) -> f64, (mut from, mut to): (f64, f64)) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (to - golden * (to - from), from + golden * (to - from));
    let (mut f_left, mut f_right) = (f(left), f(right));
    for _ in 0..STEPS {
        if f_left <= f_right {
            to = right;
            (right, f_right) = (left, f_left);
            left = to - golden * (to - from);
            f_left = f(left);
        } else {
            from = left;
            (left, f_left) = (right, f_right);
            right = from + golden * (to - from);
            f_right = f(right);
        }
    }
    f_left.min(f_right)
}
