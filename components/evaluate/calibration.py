"""Calibration of scores as probabilities, by Platt scaling."""

import numpy as np
from scipy.optimize import minimize

from components.artifacts.evaluation import logits

LOWEST, HIGHEST = 0.05, 20.0
"""Range of the temperature: scores that rank the validation split perfectly have their optimum at 0."""

FURTHEST = 20.0
"""Largest absolute offset: it is undetermined for scores that rank the validation split perfectly."""


def fit(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Fits temperature and offset by maximum likelihood on the validation split.

    This is Platt scaling (Platt 1999) with a positive slope, in other words temperature scaling (Guo et al. 2017,
    arXiv:1706.04599) with an offset. The offset corrects for balanced class weights, which shift all scores towards the
    rarer class; a temperature alone cannot. The ranking, and so the ROC AUC, does not change.

    Args:
        labels: int (N,), 0 or 1.
        scores: float (N,), probabilities.

    Returns:
        Temperature and offset, the arguments of `evaluation.calibrated`.
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
