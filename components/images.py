"""Names of the container images that the steps run in; `compile.py` puts registry and tag before and behind them."""

DATA_IMAGE = "pneumonia-benchmark-data"
"""For ingest, preprocess, compare and check: Python without TensorFlow."""

TRAIN_IMAGE = "pneumonia-benchmark-train"
"""For train and evaluate: Python with TensorFlow."""
