"""Reliability diagrams: in images of a like score, how many are pneumonia."""

from collections.abc import Sequence

import numpy as np

from components.artifacts.evaluation import CALIBRATION_BINS


def reliability(labels: np.ndarray, scores: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """The points of the diagram, over equal-width bins of the score; empty bins are left out.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        scores: (N,) of each seed; their images are thrown together.

    Returns:
        A dictionary a bin, in order: "score" (mean), "pneumonia" (share), "images".
    """
    together, truth = np.concatenate(scores), np.tile(labels, len(scores))
    bins = np.minimum((together * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        {
            "score": float(together[bins == number].mean()),
            "pneumonia": float(truth[bins == number].mean()),
            "images": int((bins == number).sum()),
        }
        for number in np.unique(bins)
    ]
