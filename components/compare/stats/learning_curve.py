"""The learning curve AUC(n) = a - b n^-c, fitted to means over draws, with its band and its forecast.

An inverse power law with a limit describes how classifiers profit from labelled data (Figueroa et al. 2012,
doi:10.1186/1472-6947-12-8), also the ROC AUC on chest X-rays (Nechaev et al. 2025, arXiv:2510.11553). Curves of other
shapes exist (Viering and Loog 2023, doi:10.1109/TPAMI.2022.3220744), hence the tests of `fit`.

Given c the curve is linear in a and b, so the best c is searched on a grid, for all samples of the means at once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

LOWEST_C, HIGHEST_C = 0.05, 3.0
"""Bounds of the exponent. At the lower one ten times as many patients close a tenth of the distance to the limit: the
means rise like the logarithm of n. At the upper one twice as many close seven eighths of it: the curve is a step."""

FEWEST_POINTS = 4
"""One more than the curve has parameters, so that its fit can be tested."""

LEVEL = 0.05
"""Of the test of the fit."""

COARSE, FINE = 48, 15
"""Exponents that are tried, and again between the neighbours of the best."""

TOO_FEW = "there are fewer than four numbers of patients"
NOT_RISING = "the ROC AUC does not rise with the number of patients"
NO_LIMIT = "the ROC AUC rises so steadily that these numbers of patients show no limit"
STEP = "the ROC AUC rises from the smallest number of patients to the next, and hardly after that"
LACK_OF_FIT = "the means deviate from every such curve by more than their variation explains"


@dataclass(frozen=True)
class Curves:
    """Learning curves a - b (n / unit)^-c.

    Attributes:
        a, b, c: float64 (B,).
        unit: number of patients.
        errors: float64 (B,), weighted sums of squared distances from the means.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    unit: float
    errors: np.ndarray

    def at(self, patients: np.ndarray) -> np.ndarray:
        """ROC AUC (B, G) at G numbers of patients."""
        return self.a[:, None] - self.b[:, None] * (patients / self.unit) ** -self.c[:, None]


@dataclass(frozen=True)
class Fit:
    """What became of fitting a curve.

    Attributes:
        why_not: why there is no curve; "" if there is one.
        best: the curve of the means themselves, (1,).
        samples: the curves of the samples of the means.
        p_value: of the test that the means lie on a curve; None where it was not made.
    """

    why_not: str
    best: Curves | None = None
    samples: Curves | None = None
    p_value: float | None = None


def fit(patients: np.ndarray, values: np.ndarray, variances: np.ndarray, made: np.ndarray, moved: np.ndarray) -> Fit:
    """Fits the curve to means, and to all samples of them.

    The test of the fit compares the weighted sum of squared distances with that of samples around the fitted curve.

    Args:
        patients: (J,), ascending.
        values: float64 (J,), mean ROC AUC.
        variances: float64 (J,), whose inverses are the weights.
        made: float64 (B, J), samples of the means.
        moved: float64 (B, J), deviations of the means, for the test.
    """
    if len(patients) < FEWEST_POINTS:
        return Fit(TOO_FEW)
    weights = 1 / np.maximum(variances, max(float(variances.max()), 1e-12) * 1e-6)
    best = curves(patients, values[None], weights)
    if best.b[0] <= 0:
        return Fit(NOT_RISING, best)
    around = curves(patients, np.clip(best.at(patients) + moved, 0, 1), weights)
    p_value = float((1 + np.sum(around.errors >= best.errors[0])) / (1 + len(moved)))
    if p_value < LEVEL:
        return Fit(LACK_OF_FIT, best, p_value=p_value)
    if best.c[0] <= LOWEST_C * 1.001:
        return Fit(NO_LIMIT, best, p_value=p_value)
    if best.c[0] >= HIGHEST_C * 0.999:
        return Fit(STEP, best, p_value=p_value)
    return Fit("", best, curves(patients, made, weights), p_value)


def curves(patients: np.ndarray, values: np.ndarray, weights: np.ndarray) -> Curves:
    """The best curve for each row of means, by weighted least squares with a <= 1, b >= 0 and bounds of c.

    Args:
        patients: (J,).
        values: float64 (B, J).
        weights: float64 (J,).
    """
    unit = float(np.exp(np.log(patients).mean()))
    tried = np.geomspace(LOWEST_C, HIGHEST_C, COARSE)
    errors = _linear(patients / unit, values, weights, np.broadcast_to(tried, (len(values), COARSE)))["errors"]
    place = errors.argmin(axis=1)
    ends = np.log(tried[np.maximum(place - 1, 0)]), np.log(tried[np.minimum(place + 1, COARSE - 1)])
    steps = np.linspace(0, 1, FINE)
    exponents = np.exp(ends[0][:, None] * (1 - steps) + ends[1][:, None] * steps)
    found = _linear(patients / unit, values, weights, exponents) | {"c": exponents}
    chosen = found["errors"].argmin(axis=1)[:, None]
    best = {name: np.take_along_axis(content, chosen, axis=1)[:, 0] for name, content in found.items()}
    return Curves(best["a"], best["b"], best["c"], unit, best["errors"])


def _linear(relative: np.ndarray, values: np.ndarray, weights: np.ndarray, exponents: np.ndarray) -> dict[str, Any]:
    """The best a and b for given exponents (B, G), each (B, G), and the weighted squared errors."""
    x = relative ** -exponents[:, :, None]
    share = weights / weights.sum()
    y = values[:, None, :]
    mean_x, mean_y = x @ share, (values @ share)[:, None]
    centred = x - mean_x[:, :, None]
    b = -((centred * (y - mean_y[:, :, None])) @ share) / ((centred**2) @ share)
    # The sum of squares is convex: where a bound is exceeded, the best lies on it.
    b = np.maximum(b, 0)
    a = mean_y + b * mean_x
    limited = a > 1
    b = np.where(limited, ((x * (1 - y)) @ share) / ((x**2) @ share), b)
    a = np.where(limited, 1.0, a)
    errors = ((y - a[:, :, None] + b[:, :, None] * x) ** 2) @ weights
    return {"a": a, "b": b, "errors": errors}
