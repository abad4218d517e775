"""Scores one trained model on validation and test."""
