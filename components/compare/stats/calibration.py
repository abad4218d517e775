"""Calibration of scores as probabilities: reliability diagram, intercept and slope, and the error by chance."""

from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats
from scipy.special import expit

from components.artifacts.evaluation import CALIBRATION_BINS
from components.artifacts.regime_result import ReliabilityBin
from components.compare.stats.resampling import calibration_metrics
from components.compare.stats.uncertainty import Estimate

DRAWS = 200
"""Simulated sets of labels for the calibration error of a perfectly calibrated model."""

SEED = 20180222
"""Of these draws; fixed, so that the same scores always give the same number."""


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


def expected_error(scores: np.ndarray) -> float:
    """The calibration error (`ece`) that a perfectly calibrated model with these scores has on average, by chance.

    With few images the observed share in a bin differs from the mean score even if the scores are the true
    probabilities, so the error of a perfect model is not 0 (Broecker and Smith 2007, doi:10.1175/WAF993.1).

    Args:
        scores: float64 (N,), probabilities; labels are drawn from them.
    """
    drawn = np.random.default_rng(SEED).random((DRAWS, len(scores))) < scores
    once = np.ones((1, len(scores)))
    return float(np.mean([calibration_metrics(labels, scores, once)["ece"][0] for labels in drawn.astype(int)]))


def slopes_and_intercepts(labels: np.ndarray, patients: np.ndarray, logits: np.ndarray) -> tuple[Estimate, Estimate]:
    """Calibration slope and intercept of several models, with their covariance between samples of patients.

    The slope is the coefficient of the logit in a logistic regression of the labels: 1 is right, below 1 the scores
    are too extreme. The intercept is that of such a regression whose slope is held at 1 (calibration in the large): 0
    is right, below 0 the scores are too high (Cox 1958; Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7). The
    covariance is the sandwich estimate with the patients as clusters (Liang and Zeger 1986,
    doi:10.1093/biomet/73.1.13).

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both present.
        patients: (N,), patient of each image.
        logits: float64 (K, N), of K models, finite.

    Returns:
        Slopes and intercepts. A slope is NaN where the logits separate the classes (it is then infinite) or are equal.
    """
    names, patient = np.unique(patients, return_inverse=True)
    slopes, intercepts, of_slopes, of_intercepts = [], [], [], []
    for given in logits:
        slope, influence = _slope(labels, given)
        intercept = optimize.brentq(lambda shift, given=given: float(np.sum(labels - expit(given + shift))), -40, 40)
        fitted = expit(given + intercept)
        slopes.append(slope)
        intercepts.append(intercept)
        of_slopes.append(np.bincount(patient, weights=influence, minlength=len(names)))
        of_intercepts.append(
            np.bincount(patient, weights=(labels - fitted) / np.sum(fitted * (1 - fitted)), minlength=len(names))
        )
    freedom = max(1, min(len(np.unique(patients[labels == label])) for label in (0, 1)) - 1)
    return _estimate(slopes, of_slopes, freedom), _estimate(intercepts, of_intercepts, freedom)


def _slope(labels: np.ndarray, given: np.ndarray) -> tuple[float, np.ndarray]:
    """The slope, and the influence (N,) of each image on it."""
    normal, ill = given[labels == 0], given[labels == 1]
    if np.ptp(given) == 0 or normal.max() <= ill.min() or ill.max() <= normal.min():
        return float("nan"), np.full(len(given), np.nan)
    design = np.stack([np.ones_like(given), given])

    def information(parameters: np.ndarray) -> np.ndarray:
        fitted = expit(parameters @ design)
        return (design * fitted * (1 - fitted)) @ design.T

    # Not scikit-learn's logistic regression: importing it takes longer than all of these fits.
    found = optimize.minimize(
        lambda parameters: np.sum(np.logaddexp(0, parameters @ design) - labels * (parameters @ design)),
        np.array([0.0, 1.0]),
        jac=lambda parameters: design @ (expit(parameters @ design) - labels),
        hess=information,
        method="trust-exact",
        options={"gtol": 1e-9 * len(labels)},
    )
    residuals = labels - expit(found.x @ design)
    return float(found.x[1]), np.linalg.solve(information(found.x), design * residuals)[1]


def _estimate(values: list[float], influences: list[np.ndarray], freedom: int) -> Estimate:
    influence = np.stack(influences)
    clusters = influence.shape[1]
    return Estimate(np.array(values), influence @ influence.T * clusters / max(1, clusters - 1), freedom)


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
