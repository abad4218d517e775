"""What a model's scores show of a difference between the validation and the test images."""

import numpy as np
from scipy.stats import ks_2samp

from components import thresholds
from components.compare.stats import resampling


def best_youden(labels: np.ndarray, scores: np.ndarray) -> float:
    """The largest Youden's J that any threshold reaches on these images.

    It is chosen on the images on which it is measured, so it is optimistic: a bound, not a result.

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both present.
        scores: float64 (N,), probability of pneumonia.
    """
    threshold = thresholds.choose(labels, scores, thresholds.YOUDEN)
    return float(resampling.decision_metrics(labels, scores, threshold, np.ones((1, len(labels))))["youden"][0])


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """The Kolmogorov-Smirnov distance of two samples of scores: 0 for identical, 1 for disjoint ones.

    It is the largest difference between their cumulative distributions (Smirnov 1948, doi:10.1214/aoms/1177730256). No
    p-value: images of one patient are not independent.

    Args:
        first: float64 (N,).
        second: float64 (M,).
    """
    return float(ks_2samp(first, second).statistic)
