"""What others do of the same work, each run in a Python of its own."""
