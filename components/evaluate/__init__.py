"""Scores the trained models of one regime on validation and test."""
