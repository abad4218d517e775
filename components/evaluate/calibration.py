"""Whether a score of 0.8 means pneumonia in 8 of 10 images, and the one number that mends it."""

import numpy as np
from scipy.optimize import minimize_scalar

from components.artifacts.evaluation import logits

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures looked at: validation scores that are ranked without a mistake would ask for 0."""


def fit_temperature(labels: np.ndarray, scores: np.ndarray) -> float:
    """The number by which logits are divided so that scores fit labels best.

    Temperature scaling (Guo et al. 2017, arXiv:1706.04599): the likelihood's maximum, on the validation split. It
    leaves the ranking, and with it ROC AUC, as it is.

    Args:
        labels: (N,) 0 or 1; of the validation split.
        scores: (N,) probabilities.
    """
    given, signs = logits(scores), 2 * labels - 1

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signs * given / np.exp(log_temperature)).mean())

    found = minimize_scalar(loss, bounds=np.log((LOWEST, HIGHEST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
