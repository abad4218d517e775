"""The steps of the benchmark, one package each, and `artifacts`: the data formats in which they exchange results."""

__version__ = "0.2.0"
