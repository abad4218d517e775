"""Trains one classifier in one of four ways."""
