"""With a trained Keras model: loading it, scoring images in batches, Grad-CAM."""
