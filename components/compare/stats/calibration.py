"""Reliability diagrams: the share of pneumonia among images of similar scores."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from components.artifacts.evaluation import CALIBRATION_BINS
from components.artifacts.regime_result import ReliabilityBin


def reliability(labels: np.ndarray, scores: Sequence[np.ndarray]) -> list[ReliabilityBin]:
    """The points of the diagram, over equal-width bins of the score; empty bins are left out.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        scores: float64 (N,) of each seed; the seeds are pooled, but intervals count each image once.

    Returns:
        The bins in the order of the score.
    """
    pooled, truth = np.concatenate(scores), np.tile(labels, len(scores))
    bins = np.minimum((pooled * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    found: list[ReliabilityBin] = []
    for number in np.unique(bins):
        inside = bins == number
        share, images = float(truth[inside].mean()), int(inside.sum())
        found.append(
            {
                "score": float(pooled[inside].mean()),
                "pneumonia": share,
                "images": images,
                "pneumonia_ci95": wilson(share, images / len(scores)),
            }
        )
    return found


def wilson(share: float, number: float) -> list[float]:
    """The 95% interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    It is that of scipy's `binomtest(...).proportion_ci(method="wilson")`, which takes whole numbers only: the images of
    a bin, divided by the number of seeds, are not whole.

    Args:
        share: from 0 to 1.
        number: of independent images.
    """
    z = float(stats.norm.ppf(0.975))
    centre = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    reach = z * np.sqrt(share * (1 - share) / number + z**2 / (4 * number**2)) / (1 + z**2 / number)
    return [max(0.0, float(centre - reach)), min(1.0, float(centre + reach))]
