"""The pipeline on this machine: python -m pipelines.local."""
