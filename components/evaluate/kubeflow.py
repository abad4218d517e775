"""What Kubeflow's own pages show of evaluations: a few scalars, a confusion matrix, an ROC curve."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from components.artifacts.evaluation import METRICS
from components.artifacts.metadata import storable

FIRST = ("roc_auc", "accuracy", "precision", "train_seconds", "peak_memory_mb")
"""What people compare: Kubeflow's page of runs shows few columns, in the order in which they were logged."""

COSTS = ("train_seconds", "peak_memory_mb", "peak_gpu_memory_mb", "epochs", "parameters")
_DIGITS = {"train_seconds": 1, "peak_memory_mb": 1, "peak_gpu_memory_mb": 1, "epochs": 1}


def scalars(evaluations: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Metrics on test and costs of training, each the mean over the seeds; `FIRST` are the first of them.

    Args:
        evaluations: content of `evaluation.json` for each seed of one regime.
    """
    found = [{**one["metrics"]["test"], **one["training"]["cost"]} for one in evaluations]
    names = dict.fromkeys((*FIRST, *METRICS, *COSTS))
    known = {name: [one[name] for one in found if one[name] is not None] for name in names}
    means = {name: round(fmean(values), _DIGITS.get(name, 4)) for name, values in known.items() if values}
    return storable(means | {"seeds": len(evaluations)})


def matrix(evaluation: dict[str, Any]) -> list[list[int]]:
    """The confusion matrix of the test split: a row a true class, a column a predicted one, normal first."""
    counts = evaluation["confusion"]
    return [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]


def roc_curve(evaluation: dict[str, Any]) -> tuple[list[float], list[float], list[float]]:
    """False positive rates, true positive rates and thresholds of the test split, all finite."""
    curve = evaluation["curves"]["roc"]
    return curve["fpr"], curve["tpr"], curve["thresholds"]
