"""Whether a score of 0.8 means pneumonia in 8 of 10 images, and the two numbers that mend it."""

import numpy as np
from scipy.optimize import minimize

from components.artifacts.evaluation import logits

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures looked at: validation scores that are ranked without a mistake would ask for 0."""

FURTHEST = 20.0
"""Offsets lie between this and its negative: a validation split ranked without a mistake leaves them open."""


def fit(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """The temperature by which logits are divided and the offset added then, so that scores fit labels best.

    Platt scaling (Platt 1999) with a slope that cannot turn negative, that is temperature scaling (Guo et al. 2017,
    arXiv:1706.04599) with an offset. The offset undoes what balanced class weights do, which shift all scores towards
    the rarer class; a temperature alone cannot. It is the likelihood's maximum, on the validation split, and leaves
    the ranking, and with it ROC AUC, as it is.

    Args:
        labels: (N,) 0 or 1; of the validation split.
        scores: (N,) probabilities.

    Returns:
        Temperature and offset, as `calibrated` takes them.
    """
    given, signs = logits(scores), 2 * labels - 1

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean negative log-likelihood at (log of the temperature, offset), and its gradient."""
        scaled = given / np.exp(parameters[0])
        margins = signs * (scaled + parameters[1])
        slopes = -signs * np.exp(-np.logaddexp(0, margins))
        return np.logaddexp(0, -margins).mean(), np.array([-(slopes * scaled).mean(), slopes.mean()])

    bounds = [(np.log(LOWEST), np.log(HIGHEST)), (-FURTHEST, FURTHEST)]
    found = minimize(
        loss, [0.0, 0.0], jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}
    )
    return float(np.exp(found.x[0])), float(found.x[1])
