"""Everything that is measured of every model, with how it varies under other patients: the ground of all intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.artifacts.evaluation import METRICS
from components.compare import delong, statistics
from components.compare.uncertainty import Figure

BOUNDS = {"mcc": (-1.0, 1.0)}
"""Lowest and highest value of each metric; 0 and 1 unless named."""


@dataclass(frozen=True)
class Scored:
    """One model's scores and its threshold.

    Attributes:
        scores: float64 (N,), probability of pneumonia.
        threshold: a score from here on means pneumonia.
    """

    scores: np.ndarray
    threshold: float


def gather(
    labels: np.ndarray, patients: np.ndarray, models: Sequence[Scored], replicates: int = statistics.REPLICATES
) -> dict[str, Figure]:
    """Every metric of every model.

    The variation of ROC AUC is DeLong's, in the form for several images a patient; that of the other metrics comes
    from a bootstrap over patients.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), whom each image shows.
        models: in any order; all scored on the same images.
        replicates: of the bootstrap.

    Returns:
        {metric: figure}, models in the order given.
    """
    freedom = degrees_of_freedom(labels, patients)
    measures = [
        lambda weights, model=model: statistics.weighted_metrics(labels, model.scores, model.threshold, weights)
        for model in models
    ]
    values = np.concatenate([measure(np.ones((1, len(labels)))) for measure in measures])
    samples = statistics.bootstrap(labels, patients, measures, replicates)
    figures = {
        name: Figure(values[:, column], covariance(samples[:, :, column]), freedom)
        for column, name in enumerate(METRICS)
    }
    areas, spread = delong.roc_auc_covariance(labels, patients, np.stack([model.scores for model in models]))
    return figures | {"roc_auc": Figure(areas, spread, freedom)}


def degrees_of_freedom(labels: np.ndarray, patients: np.ndarray) -> int:
    """The patients of the rarer class less one: they bound how well variation can be known."""
    fewest = min(len(np.unique(patients[labels == label])) for label in np.unique(labels))
    return max(1, fewest - 1)


def covariance(samples: np.ndarray) -> np.ndarray:
    """Covariances (K, K) of K models over replicates (K, R)."""
    return np.atleast_2d(np.cov(samples))
