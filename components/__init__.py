"""The benchmark's steps: one folder ("room") each, and in `artifacts` what passes between them."""

__version__ = "0.1.0"
