"""Statistics from predictions: numbers only, neither wording nor plots."""
