"""Pre-training of the backbone that the project carries, on pictures that formulas drew."""
