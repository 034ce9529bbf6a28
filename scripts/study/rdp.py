"""Epsilons of the Poisson-subsampled Gaussian mechanism by PyPI `dp-accounting`, for the table in
src/privacy/rdp/tests.rs. Run with the package installed: python3 scripts/study/rdp.py"""

import dp_accounting
from dp_accounting import rdp

# Sampling probability, noise multiplier, steps, delta.
SETTINGS = [
    (0.001, 0.8, 1000, 1e-6), (0.001, 1.0, 10000, 1e-5), (0.001, 4.0, 100, 1e-7),
    (0.01, 0.6, 100, 1e-5), (0.01, 1.0, 1000, 1e-6), (0.01, 1.1, 10000, 1e-5),
    (0.01, 2.0, 1000, 1e-7), (0.02, 1.0, 500, 1e-5), (0.05, 0.8, 200, 1e-5),
    (0.05, 1.5, 1000, 1e-6), (0.05, 5.0, 1000, 1e-6), (0.1, 1.0, 100, 1e-5),
    (0.1, 2.0, 300, 1e-6), (0.1, 8.0, 300, 1e-6), (0.2, 1.0, 50, 1e-5),
    (0.2, 3.0, 200, 1e-6), (0.5, 2.0, 20, 1e-5), (0.5, 10.0, 200, 1e-6),
    (1.0, 2.0, 1, 1e-6), (1.0, 10.0, 100, 1e-5),
]

# Those of `ORDERS` in src/privacy/rdp/mod.rs.
ORDERS = [1 + x / 10.0 for x in range(1, 100)] + list(range(11, 64)) + [128, 256, 512, 1024]

for q, sigma, steps, delta in SETTINGS:
    accountant = rdp.RdpAccountant(ORDERS)
    event = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma))
    accountant.compose(event, steps)
    epsilon = accountant.get_epsilon(delta)
    print(f"    ({q!r}, {sigma!r}, {steps}, {delta!r}, {epsilon:.6f}),")
