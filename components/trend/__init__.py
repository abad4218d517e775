"""The page that shows the recorded runs over time, with every alarm."""

FILE = "trend.html"
"""Its name."""
