"""The gate of recurring runs: tells a real change of quality, cost or data from noise."""
