"""Calibration of scores as probabilities, by Platt scaling."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from components.artifacts.evaluation import logits

LOWEST, HIGHEST = 0.05, 20.0
"""Range of the temperature: that of scores without any relation to the labels is infinite."""

FURTHEST = 20.0
"""Largest absolute offset."""


def fit(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Fits temperature and offset by maximum likelihood on the validation split.

    This is Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines") with a positive slope, in
    other words temperature scaling (Guo et al. 2017, arXiv:1706.04599) with an offset. As Platt does, the labels are
    replaced by the smoothed targets (N1 + 1) / (N1 + 2) for N1 pneumonia images and 1 / (N0 + 2) for N0 normal ones, so
    that the fit is finite, and cautious, where the scores separate a small validation split. The offset corrects for
    balanced class weights, which shift all scores towards the rarer class; a temperature alone cannot. The ranking, and
    so the ROC AUC, does not change.

    Args:
        labels: int (N,), 0 or 1, both present.
        scores: float (N,), probabilities.

    Returns:
        Temperature and offset, the arguments of `evaluation.calibrated`.
    """
    given, positives = logits(scores), int(np.sum(labels))
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2))

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean negative log-likelihood at (log of the temperature, offset), and its gradient."""
        scaled = given / np.exp(parameters[0])
        moved = scaled + parameters[1]
        slopes = expit(moved) - targets
        return (np.logaddexp(0, moved) - targets * moved).mean(), np.array([-(slopes * scaled).mean(), slopes.mean()])

    bounds = [(np.log(LOWEST), np.log(HIGHEST)), (-FURTHEST, FURTHEST)]
    found = minimize(
        loss, [0.0, 0.0], jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}
    )
    return float(np.exp(found.x[0])), float(found.x[1])
