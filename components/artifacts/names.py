"""Names that the steps and the file formats share: classes, splits, regimes, backbones, sources."""

CLASSES = ("NORMAL", "PNEUMONIA")
"""Class names as folders and manifests spell them; the position is the integer label (PNEUMONIA = 1, positive)."""

SPLITS = ("train", "validation", "test")

GROUPS = ("sex", "age", "view")
"""Groups of patients and images in which models are evaluated, where DICOM files name them."""

AGE_BANDS = ("under 1", "1 to 5", "6 to 17", "18 to 39", "40 to 59", "60 to 79", "80 or older")
"""The groups of age, in completed years."""

CHARACTERISTICS = (*GROUPS, "manufacturer")
"""Optional columns of the manifest: coarse groups that DICOM files name; "" where unknown."""

REGIMES = ("custom_cnn", "transfer_learning", "partial_fine_tuning", "full_fine_tuning")

BASELINE = "logistic_regression"
"""A logistic regression on thumbnails: not one of the regimes, but evaluated like them for comparison."""

FLOOR = BASELINE
"""Former name of `BASELINE`."""

REGIME_TITLES = {
    "custom_cnn": "Custom CNN",
    "transfer_learning": "Transfer learning",
    "partial_fine_tuning": "Partial fine-tuning",
    "full_fine_tuning": "Full fine-tuning",
    BASELINE: "Logistic regression (baseline)",
}

BACKBONES = ("MobileNetV2", "MobileNetV2-0.5", "EfficientNetB0", "ResNet50", "DenseNet121")
"""Networks of keras.applications; "MobileNetV2-0.5" is MobileNetV2 with half the channels (alpha=0.5)."""

BUNDLED_BACKBONE = "MobileNetV2-0.5"
"""The backbone whose weights are part of the project."""

WEIGHTS = ("imagenet", "bundled", "none")
"""Origins of a backbone's weights other than a file."""

WEIGHTS_TITLES = {
    "imagenet": "ImageNet",
    "bundled": "bundled (pre-trained on drawn fractals, no photograph)",
    "none": "none (random)",
}

SOURCES = ("synthetic", "directory", "kaggle", "pneumoniamnist")

SOURCE_URLS = ("https://", "gs://", "s3://")
"""Prefixes of URLs that are accepted as a source besides `SOURCES`."""
