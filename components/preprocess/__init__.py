"""Decodes, resizes and splits a raw dataset."""
