"""Encoders of other runtimes beside ours, over the same texts and photos: `python -m harness.encoders`."""
