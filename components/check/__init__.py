"""Check: whether a run has reached what it was started for."""
