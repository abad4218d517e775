"""Imports a dataset from any source as images with a manifest and a quality report."""
