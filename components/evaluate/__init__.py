"""Evaluates the trained models of one regime on the validation and the test split."""
