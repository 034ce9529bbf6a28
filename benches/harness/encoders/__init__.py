"""Comparison of our encoders with other runtimes on the same texts and images: `python -m harness.encoders`."""
