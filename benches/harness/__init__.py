"""Compares approximate nearest neighbour indexes: ours and peers from PyPI, all measured in the same run."""
