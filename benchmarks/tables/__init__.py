"""Tables of README.md and docs/, generated from results/ by `python -m benchmarks.tables`."""
