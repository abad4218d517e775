"""A trained model applied to images, or exported: python -m pipelines.predict."""
