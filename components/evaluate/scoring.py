"""Thresholds, metrics and curves of scores; pneumonia is the positive class."""

import numpy as np
from sklearn import metrics

from components import thresholds
from components.artifacts.evaluation import CALIBRATION_BINS, Confusion, Curves, OperatingPoint

CURVE_POINTS = 200
"""Kubeflow passes a curve as one command-line argument of at most 128 KiB, which limits the number of points."""


def choose_threshold(labels: np.ndarray, scores: np.ndarray, target_sensitivity: float = 0.0) -> tuple[float, str]:
    """Chooses the lowest score that is classified as pneumonia, by `thresholds.main_rule`.

    Args:
        labels: int (N,), 0 or 1, both present; of the validation split.
        scores: float (N,), probabilities.
        target_sensitivity: from 0 (no target, so Youden's J is maximised) to 1.

    Returns:
        The threshold, and a description of the rule by which it was chosen.
    """
    rule = thresholds.main_rule(target_sensitivity)
    return float(thresholds.choose(labels, scores, rule)[0]), rule.words


def operating_points(labels: np.ndarray, scores: np.ndarray) -> list[OperatingPoint]:
    """Further thresholds for which results are reported: `thresholds.OPERATING_POINTS`.

    Args:
        labels: int (N,), 0 or 1, both present; of the validation split.
        scores: float (N,), probabilities.
    """
    return [
        {
            "name": rule.words,
            "threshold": float(thresholds.choose(labels, scores, rule)[0]),
            "chosen_on": None if rule.kind == "fixed" else "validation",
        }
        for rule in thresholds.OPERATING_POINTS
    ]


def all_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """All metrics of `evaluation.METRICS`.

    Args:
        labels: int (N,), 0 or 1, both present.
        scores: float (N,), probabilities.
        threshold: scores greater than or equal to it are classified as pneumonia.

    Returns:
        The metrics by name; the precision is 0 if there are no positive predictions.
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
    """Expected calibration error (Guo et al. 2017, arXiv:1706.04599) with `CALIBRATION_BINS` equal-width bins.

    It is the mean absolute difference between mean score and frequency of pneumonia in a bin, weighted by its images.
    """
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=scores - labels, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def confusion(labels: np.ndarray, scores: np.ndarray, threshold: float) -> Confusion:
    """Counts of true and false negatives and positives."""
    matrix = metrics.confusion_matrix(labels, scores >= threshold, labels=[0, 1])
    tn, fp, fn, tp = (int(count) for count in matrix.ravel())
    return {"tn": tn, "fp": fp, "fn": fn, "tp": tp}


def curves(labels: np.ndarray, scores: np.ndarray) -> Curves:
    """ROC and precision-recall curves of at most `CURVE_POINTS` points; all numbers are finite."""
    false_positive_rate, sensitivity, thresholds = metrics.roc_curve(labels, scores)
    # scikit-learn's first threshold is infinite, so that nothing is positive; a number just above 1 does the same.
    fpr, tpr, thresholds = _thin(false_positive_rate, sensitivity, np.minimum(thresholds, np.nextafter(1, 2)))
    precision, recall = _thin(*metrics.precision_recall_curve(labels, scores)[:2])
    return {
        "roc": {"fpr": fpr, "tpr": tpr, "thresholds": thresholds},
        "pr": {"precision": precision, "recall": recall},
    }


def _thin(*columns: np.ndarray) -> list[list[float]]:
    """Selects at most `CURVE_POINTS` evenly spaced points, including the first and the last."""
    rows = np.unique(np.linspace(0, len(columns[0]) - 1, CURVE_POINTS).round().astype(int))
    return [column[rows].tolist() for column in columns]
