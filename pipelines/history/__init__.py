"""The history of recorded runs: python -m pipelines.history."""
