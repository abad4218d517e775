"""Evaluations in the form of Kubeflow's own pages: scalars, a confusion matrix, an ROC curve."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from components.artifacts.evaluation import METRICS, EvaluationRecord
from components.artifacts.metadata import storable

FIRST = ("roc_auc", "accuracy", "precision", "train_seconds", "peak_memory_mb")
"""The most important scalars: Kubeflow's list of runs shows few columns, in the order in which they were logged."""

COSTS = ("train_seconds", "peak_memory_mb", "peak_gpu_memory_mb", "epochs", "parameters")
_DIGITS = {"train_seconds": 1, "peak_memory_mb": 1, "peak_gpu_memory_mb": 1, "epochs": 1}


def scalars(evaluations: Sequence[EvaluationRecord]) -> dict[str, float]:
    """Test metrics and training costs, each the mean over the seeds, in the order of `FIRST`, `METRICS` and `COSTS`.

    Args:
        evaluations: content of `evaluation.json` for each seed of one regime.
    """
    found: list[dict[str, Any]] = [{**one["metrics"]["test"], **one["training"]["cost"]} for one in evaluations]
    names = dict.fromkeys((*FIRST, *METRICS, *COSTS))
    known = {name: [one[name] for one in found if one[name] is not None] for name in names}
    means = {name: round(fmean(values), _DIGITS.get(name, 4)) for name, values in known.items() if values}
    return storable(means | {"seeds": len(evaluations)})


def table(evaluations: Mapping[str, Sequence[EvaluationRecord]]) -> dict[str, float]:
    """The scalars of several regimes: each name begins with that of a regime, and the same scalar of all is together.

    Args:
        evaluations: {regime: content of `evaluation.json` for each of its seeds}.
    """
    found = {regime: scalars(own) for regime, own in evaluations.items()}
    names = dict.fromkeys(name for own in found.values() for name in own)
    return {f"{regime}_{name}": own[name] for name in names for regime, own in found.items() if name in own}


def matrix(evaluation: EvaluationRecord) -> list[list[int]]:
    """The confusion matrix on test: rows are true classes, columns are predicted classes, normal first."""
    counts = evaluation["confusion"]
    return [[counts["tn"], counts["fp"]], [counts["fn"], counts["tp"]]]


def roc_curve(evaluation: EvaluationRecord) -> tuple[list[float], list[float], list[float]]:
    """False positive rates, true positive rates and thresholds on test, all finite."""
    curve = evaluation["curves"]["roc"]
    return curve["fpr"], curve["tpr"], curve["thresholds"]
