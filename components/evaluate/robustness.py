"""Changes of test images that simulate another X-ray machine or another position of the patient."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

SHIFT = 0.05
ZOOM = 0.1

SAMPLE = 300
"""Largest number of test images that are scored under every change: eight times all of them would take most of the time
of the step. The standard errors of the differences to unchanged images say what that costs."""

SAMPLE_RARE = 50
"""As many images of the rarer class are among them, or all that there are: without any there is no ROC AUC."""


def changes() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Changes of exposure and geometry by name; each maps uint8 images (N, H, W) to uint8 images of the same shape."""
    return {
        "gamma 0.7": lambda images: _gamma(images, 0.7),
        "gamma 1.4": lambda images: _gamma(images, 1.4),
        "contrast 0.8": lambda images: _contrast(images, 0.8),
        "contrast 1.2": lambda images: _contrast(images, 1.2),
        "shifted right 5%": lambda images: _move(images, 1.0, 0.0, SHIFT),
        "shifted down 5%": lambda images: _move(images, 1.0, SHIFT, 0.0),
        "zoomed in 10%": lambda images: _move(images, 1 + ZOOM, 0.0, 0.0),
        "zoomed out 10%": lambda images: _move(images, 1 - ZOOM, 0.0, 0.0),
    }


def sample(labels: np.ndarray) -> np.ndarray:
    """Rows of at most `SAMPLE` test images, evenly spaced; of a rare class at least `SAMPLE_RARE`."""
    rows = _spaced(np.arange(len(labels)), SAMPLE)
    rare = int(labels[rows].mean() < 0.5)
    known = np.flatnonzero(labels == rare)
    wanted = min(SAMPLE_RARE, SAMPLE // 3, len(known))
    if (labels[rows] == rare).sum() >= wanted:
        return rows
    others = _spaced(np.flatnonzero(labels != rare), SAMPLE - wanted)
    return np.sort(np.concatenate([_spaced(known, wanted), others]))


def _spaced(rows: np.ndarray, most: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]


def _gamma(images: np.ndarray, exponent: float) -> np.ndarray:
    tones = ((np.arange(256) / 255) ** exponent * 255).round().astype(np.uint8)
    return tones[images]


def _contrast(images: np.ndarray, factor: float) -> np.ndarray:
    mean = images.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return ((images - mean) * factor + mean).round().clip(0, 255).astype(np.uint8)


def _move(images: np.ndarray, zoom: float, down: float, right: float) -> np.ndarray:
    """Zooms about the centre, then shifts by fractions of height and width; pixels from outside the image are black."""
    height, width = images.shape[1:]
    center = np.array([(height - 1) / 2, (width - 1) / 2])
    offset = center - (center + np.array([down * height, right * width])) / zoom
    moved = np.empty_like(images)
    for source, target in zip(images, moved, strict=True):
        ndimage.affine_transform(source, [1 / zoom, 1 / zoom], offset, output=target, order=1, mode="constant")
    return moved
