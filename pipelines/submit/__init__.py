"""Runs and schedules on a cluster: python -m pipelines.submit."""
