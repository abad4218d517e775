"""The words that every step and every file format share: classes, splits, regimes, backbones, sources."""

CLASSES = ("NORMAL", "PNEUMONIA")
"""Class names as folders and manifests spell them; the position is the integer label (PNEUMONIA = 1, positive)."""

SPLITS = ("train", "validation", "test")

REGIMES = ("custom_cnn", "transfer_learning", "partial_fine_tuning", "full_fine_tuning")

FLOOR = "logistic_regression"
"""Not one of the regimes: what each of them has to beat."""

REGIME_TITLES = {
    "custom_cnn": "Custom CNN",
    "transfer_learning": "Transfer learning",
    "partial_fine_tuning": "Partial fine-tuning",
    "full_fine_tuning": "Full fine-tuning",
    FLOOR: "Logistic regression (baseline)",
}

BACKBONES = ("MobileNetV2", "MobileNetV2-0.5", "EfficientNetB0", "ResNet50", "DenseNet121")
"""Networks of keras.applications; "-0.5" is MobileNetV2 with half of the channels (its alpha)."""

BUNDLED_BACKBONE = "MobileNetV2-0.5"
"""Whose weights the project carries."""

WEIGHTS = ("imagenet", "bundled", "none")
"""Where a backbone's weights come from, if not from a file."""

WEIGHTS_TITLES = {
    "imagenet": "ImageNet",
    "bundled": "bundled (pre-trained on drawn fractals, no photograph)",
    "none": "none (random)",
}

SOURCES = ("synthetic", "directory", "kaggle", "pneumoniamnist")

SOURCE_URLS = ("https://", "gs://", "s3://")
"""What a source may begin with instead of being one of `SOURCES`: then it is a URL."""
