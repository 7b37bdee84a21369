"""What one GPU does: `python -m benchmarks gpu`, the figures of results/gpu.json."""
