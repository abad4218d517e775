"""Brings a dataset in, whatever its source, as images with a manifest and a report on their quality."""
