"""Decodes, resizes and splits a raw dataset, once and for all."""
