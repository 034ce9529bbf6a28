"""Compares approximate nearest neighbor indexes: ours and peers from PyPI, all measured in the same run."""
