"""Statistics from predictions. Knows neither wording nor plots."""
