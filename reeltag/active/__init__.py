"""What to rate next, and what the ratings so far say: pure functions over scores."""
