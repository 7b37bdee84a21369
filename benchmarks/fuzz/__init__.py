"""Damaged, hostile and random input for all that reads: `python -m benchmarks.fuzz`."""
