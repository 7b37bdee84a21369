"""What steps of solutions will cost: arithmetic, bytes, seconds."""
