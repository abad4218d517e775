"""All metrics of all models, with their covariance between samples of test patients: the basis of all intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components import roc_auc
from components.artifacts.evaluation import METRICS
from components.artifacts.regime_result import CALIBRATION_METRICS, POINT_METRICS, SUBGROUP_METRICS
from components.compare.stats import resampling
from components.compare.stats.uncertainty import Estimate

BOUNDS = {"mcc": (-1.0, 1.0)}
"""Lowest and highest value of each metric; 0 and 1 unless named."""


@dataclass(frozen=True)
class Scored:
    """The scores of one model on the test images, and its thresholds.

    Attributes:
        scores: float64 (N,), probability of pneumonia.
        threshold: scores at or above it mean pneumonia; chosen on validation.
        points: further thresholds by name.
        calibrated: float64 (N,), the scores as calibrated probabilities; None leaves them out.
    """

    scores: np.ndarray
    threshold: float
    points: dict[str, float] = field(default_factory=dict)
    calibrated: np.ndarray | None = None


def gather(
    labels: np.ndarray,
    patients: np.ndarray,
    models: Sequence[Scored],
    subgroups: dict[str, np.ndarray] | None = None,
    replicates: int = resampling.REPLICATES,
) -> dict[str, Estimate]:
    """Every metric of every model, and some of them at other thresholds, after calibration, and in subgroups.

    The covariance of ROC AUC is DeLong's, in the form for several images per patient; that of the other metrics comes
    from a bootstrap over patients.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        models: in any order; all scored on the same images, all with further thresholds of the same names.
        subgroups: {name: (N,) bool}, some of the images.
        replicates: of the bootstrap.

    Returns:
        {name: estimate}, models in the order given. A name is "METRIC", "THRESHOLD/METRIC", "calibrated/METRIC" or
        "SUBGROUP/METRIC".
    """
    parts = subgroups or {}
    measures = [_measure(labels, model, parts) for model in models]
    once = np.ones((1, len(labels)))
    names = list(measures[0](once))
    columns = [
        lambda weights, measure=measure: np.stack(list(measure(weights).values()), axis=1) for measure in measures
    ]
    values = np.concatenate([column(once) for column in columns])
    samples = resampling.bootstrap(labels, patients, columns, replicates)
    everything = np.ones(len(labels), bool)
    freedom = {
        name: degrees_of_freedom(labels[rows], patients[rows]) for name, rows in {"": everything, **parts}.items()
    }
    estimates = {
        name: Estimate(
            values[:, column], covariance(samples[:, :, column]), freedom.get(name.rpartition("/")[0], freedom[""])
        )
        for column, name in enumerate(names)
    }
    scores = np.stack([model.scores for model in models])
    for part, rows in {"": everything, **parts}.items():
        if set(labels[rows]) == {0, 1}:
            areas, spread = roc_auc.covariance_of_areas(labels[rows], patients[rows], scores[:, rows])
            estimates[f"{part}/roc_auc" if part else "roc_auc"] = Estimate(areas, spread, freedom[part])
    return estimates


def bounds(metric: str) -> tuple[float, float]:
    """The lowest and the highest value that a metric can have."""
    return BOUNDS.get(metric, (0.0, 1.0))


def model_rows(groups: Mapping[str, Sequence[object]]) -> dict[str, list[int]]:
    """The positions of the models of each group, once the groups are joined in order."""
    found: dict[str, list[int]] = {}
    start = 0
    for name, own in groups.items():
        found[name] = list(range(start, start + len(own)))
        start += len(own)
    return found


def _measure(
    labels: np.ndarray, model: Scored, subgroups: dict[str, np.ndarray]
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """A function that measures one model under weights (B, N) and returns {name: (B,)}."""

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        metrics = resampling.weighted_metrics(labels, model.scores, model.threshold, weights)
        found = dict(zip(METRICS, metrics.T, strict=True))
        for name, threshold in model.points.items():
            decisions = resampling.decision_metrics(labels, model.scores, threshold, weights)
            found |= {f"{name}/{metric}": decisions[metric] for metric in POINT_METRICS}
        if model.calibrated is not None:
            fit = resampling.calibration_metrics(labels, model.calibrated, weights)
            found |= {f"calibrated/{metric}": fit[metric] for metric in CALIBRATION_METRICS}
        for name, rows in subgroups.items():
            decisions = resampling.decision_metrics(labels[rows], model.scores[rows], model.threshold, weights[:, rows])
            found |= {f"{name}/{metric}": decisions[metric] for metric in SUBGROUP_METRICS}
        return found

    return measure


def degrees_of_freedom(labels: np.ndarray, patients: np.ndarray) -> int:
    """The number of patients of the rarer class minus one: it limits how well variation can be estimated."""
    fewest = min(len(np.unique(patients[labels == label])) for label in np.unique(labels))
    return max(1, fewest - 1)


def covariance(samples: np.ndarray) -> np.ndarray:
    """Covariances (K, K) of K models over replicates (K, R)."""
    return np.atleast_2d(np.cov(samples))
