"""A smoothed calibration curve: the observed share of pneumonia as a function of the predicted risk."""

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from components.artifacts.evaluation import logits

KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the logits (Harrell 2015, doi:10.1007/978-3-319-19425-7, table 2.3)."""

RIDGE = 0.01
"""Penalty of the coefficients: without one they are infinite where the risks separate the classes."""

RANGE = (0.01, 0.99)
"""Quantiles of the logits between which the curve is given."""

STEPS = 50
"""At most this many of Newton's method; it needs about ten."""


class Curve(NamedTuple):
    """A smoothed calibration curve.

    Attributes:
        predicted: float64 (G,), risks in ascending order.
        observed: float64 (G,), share of pneumonia at each.
        ends: float64 (G, 2), of a pointwise 95% interval of `observed` for other patients.
    """

    predicted: np.ndarray
    observed: np.ndarray
    ends: np.ndarray


def smoothed(
    labels: np.ndarray, patients: np.ndarray, risks: np.ndarray, prevalence: float, points: int = 41
) -> Curve | None:
    """Fits a logistic regression on a restricted cubic spline of the logit of the risk.

    A flexible calibration curve (Van Calster et al. 2016, doi:10.1016/j.jclinepi.2015.12.005). The images are a sample
    within each class, which changes nothing but the intercept (Prentice and Pyke 1979, doi:10.1093/biomet/66.3.403), so
    the curve for another prevalence is that of the images, shifted on the logit scale. The interval allows for several
    images and several seeds of a patient (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13).

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both occur. With several seeds, those of all seeds one after another.
        patients: (N,), patient of each label.
        risks: float64 (N,), predicted for a population with that prevalence.
        prevalence: share of pneumonia in the population, between 0 and 1.
        points: of the curve, from the 1st to the 99th percentile of the risks.

    Returns:
        The curve; None where the risks have too few different values.
    """
    x = logits(risks)
    knots = np.quantile(x, KNOTS)
    if np.ptp(x) == 0 or len(np.unique(knots)) < len(KNOTS):
        return None
    design = _spline(x, knots)
    weights, bread = _fit(design, labels)
    scores = design * (labels - special.expit(design @ weights))[:, None]
    _, person = np.unique(patients, return_inverse=True)
    sums = np.zeros((person.max() + 1, design.shape[1]))
    np.add.at(sums, person, scores)
    covariance = bread @ sums.T @ sums @ bread
    lowest, highest = np.quantile(x, RANGE)
    grid = np.linspace(lowest, highest, points)
    rows = _spline(grid, knots)
    share = labels.mean()
    centre = rows @ weights + special.logit(prevalence) - special.logit(share)
    reach = stats.norm.ppf(0.975) * np.sqrt(np.einsum("gi,ij,gj->g", rows, covariance, rows))
    ends = special.expit(np.stack([centre - reach, centre + reach], axis=1))
    return Curve(special.expit(grid), special.expit(centre), ends)


def _spline(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Columns (N, 3) of a restricted cubic spline with three knots, which is linear outside of them."""
    first, middle, last = knots
    cubes = [np.maximum(x - knot, 0) ** 3 for knot in knots]
    bend = cubes[0] - cubes[1] * (last - first) / (last - middle) + cubes[2] * (middle - first) / (last - middle)
    return np.stack([np.ones_like(x), x, bend / (last - first) ** 2], axis=1)


def _fit(design: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Penalised maximum likelihood by Newton's method.

    Returns:
        The coefficients, and the inverse of the information matrix.
    """
    penalty = np.diag([0.0] + [RIDGE] * (design.shape[1] - 1))
    weights = np.zeros(design.shape[1])
    inverse = np.eye(design.shape[1])
    for _ in range(STEPS):
        fitted = special.expit(design @ weights)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None]) + penalty
        inverse = np.linalg.pinv(information, hermitian=True)
        step = inverse @ (design.T @ (labels - fitted) - penalty @ weights)
        weights = weights + step * min(1.0, 5 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return weights, inverse
