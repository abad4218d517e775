"""From scores to a threshold, metrics and curves; pneumonia is the positive class."""

from typing import Any

import numpy as np
from sklearn import metrics

from components.artifacts.evaluation import CALIBRATION_BINS

CURVE_POINTS = 200
"""Kubeflow passes a curve through one command-line argument of 128 KiB, which more points would not fit."""


SPECIFICITIES = (0.9, 0.95)
"""Sensitivity is also told where so many of the normal images are left alone."""

_TINY = 1e-12


def choose_threshold(labels: np.ndarray, scores: np.ndarray, target_sensitivity: float = 0.0) -> tuple[float, str]:
    """The score from which on an image counts as pneumonia.

    Without a target, where sensitivity + specificity is largest: Youden's J (Youden 1950,
    doi:10.1002/1097-0142(1950)3:1<32::aid-cncr2820030106>3.0.co;2-3); among equally good thresholds the one nearest to
    0.5. With a target, the highest threshold that reaches this sensitivity. A threshold lies halfway between the
    neighbouring scores.

    Args:
        labels: (N,) 0 or 1, both present; of the validation split.
        scores: (N,) probabilities.
        target_sensitivity: 0 for no target.

    Returns:
        The threshold, and a few words on how it was chosen.
    """
    false_alarms, sensitivity, middles = _possible_thresholds(labels, scores)
    if target_sensitivity:
        reached = np.flatnonzero(sensitivity >= target_sensitivity - _TINY)
        return float(middles[reached[0]]), f"sensitivity of at least {target_sensitivity:g}"
    gain = sensitivity - false_alarms
    best = np.flatnonzero(gain >= gain.max() - _TINY)
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]]), "Youden's J"


def operating_points(labels: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """Further thresholds under which results are told: 0.5, and the lowest that reach each of `SPECIFICITIES`.

    Args:
        labels: (N,) 0 or 1, both present; of the validation split.
        scores: (N,) probabilities.

    Returns:
        A dictionary each: "name", "threshold", "chosen_on" ("validation", or None where nothing was chosen).
    """
    false_alarms, _, middles = _possible_thresholds(labels, scores)
    points = [{"name": "threshold 0.5", "threshold": 0.5, "chosen_on": None}]
    for specificity in SPECIFICITIES:
        reached = np.flatnonzero(1 - false_alarms >= specificity - _TINY)
        name = f"{specificity:.0%} specificity"
        points.append({"name": name, "threshold": float(middles[reached[-1]]), "chosen_on": "validation"})
    return points


def _possible_thresholds(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of false alarms, sensitivity and the threshold of each way to part the scores, from high to low."""
    false_alarms, sensitivity, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    below = np.append(thresholds[1:], 0.0)
    # Above the highest score nothing is pneumonia; where that is 1, just above 1 is the place for it.
    middles = (np.minimum(thresholds, np.nextafter(1, 2)) + below) / 2
    middles[0] = max(middles[0], np.nextafter(thresholds[1], 2))
    return false_alarms, sensitivity, np.clip(middles, 0.0, np.nextafter(1, 2))


def all_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """Every metric of `evaluation.METRICS`.

    Args:
        labels: (N,) 0 or 1, both present.
        scores: (N,) probabilities.
        threshold: scores from here on count as pneumonia.

    Returns:
        The metrics by name; a precision without any positive prediction is 0.
    """
    predicted = scores >= threshold
    return {
        "accuracy": float(metrics.accuracy_score(labels, predicted)),
        "precision": float(metrics.precision_score(labels, predicted, zero_division=0)),
        "recall": float(metrics.recall_score(labels, predicted)),
        "specificity": float(metrics.recall_score(labels, predicted, pos_label=0)),
        "f1": float(metrics.f1_score(labels, predicted, zero_division=0)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(labels, predicted)),
        "mcc": float(metrics.matthews_corrcoef(labels, predicted)),
        "roc_auc": float(metrics.roc_auc_score(labels, scores)),
        "pr_auc": float(metrics.average_precision_score(labels, scores)),
        "brier": float(metrics.brier_score_loss(labels, scores)),
        "ece": expected_calibration_error(labels, scores),
    }


def expected_calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean distance between score and frequency of pneumonia, over equal-width bins of the score.

    Guo et al. 2017 (arXiv:1706.04599), with `CALIBRATION_BINS` bins.
    """
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=scores - labels, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def confusion(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, int]:
    """Counts tn, fp, fn, tp."""
    matrix = metrics.confusion_matrix(labels, scores >= threshold, labels=[0, 1])
    return dict(zip(("tn", "fp", "fn", "tp"), (int(count) for count in matrix.ravel()), strict=True))


def curves(labels: np.ndarray, scores: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """ROC and precision-recall curves of at most `CURVE_POINTS` points, every number finite."""
    false_positive_rate, sensitivity, thresholds = metrics.roc_curve(labels, scores)
    # scikit-learn's first threshold is infinite: nothing is positive. Scores end at 1, so just above is the same.
    roc = _thin(false_positive_rate, sensitivity, np.minimum(thresholds, np.nextafter(1, 2)))
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    pr = _thin(precision, recall)
    return {
        "roc": dict(zip(("fpr", "tpr", "thresholds"), roc, strict=True)),
        "pr": dict(zip(("precision", "recall"), pr, strict=True)),
    }


def _thin(*columns: np.ndarray) -> list[list[float]]:
    rows = np.unique(np.linspace(0, len(columns[0]) - 1, CURVE_POINTS).round().astype(int))
    return [column[rows].tolist() for column in columns]
