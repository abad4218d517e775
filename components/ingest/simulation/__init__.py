"""Simulates chest radiographs: plan of the dataset, anatomy of the patients, X-ray projection, film."""
