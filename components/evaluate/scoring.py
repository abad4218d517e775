"""Thresholds, metrics and curves of scores; pneumonia is the positive class."""

import numpy as np
from sklearn import metrics

from components.artifacts.evaluation import CALIBRATION_BINS, Confusion, Curves, OperatingPoint

CURVE_POINTS = 200
"""Kubeflow passes a curve as one command-line argument of at most 128 KiB, which limits the number of points."""

SPECIFICITIES = (0.9, 0.95)
"""Specificities for which an operating point is reported."""

_TINY = 1e-12


def choose_threshold(labels: np.ndarray, scores: np.ndarray, target_sensitivity: float = 0.0) -> tuple[float, str]:
    """Chooses the lowest score that is classified as pneumonia.

    Without a target, the threshold maximises sensitivity + specificity, that is Youden's J (Youden 1950,
    doi:10.1002/1097-0142(1950)3:1<32::aid-cncr2820030106>3.0.co;2-3); of several maxima, the one closest to 0.5 is
    chosen. With a target, it is the highest threshold that reaches this sensitivity. A threshold lies halfway between
    the two nearest scores.

    Args:
        labels: int (N,), 0 or 1, both present; of the validation split.
        scores: float (N,), probabilities.
        target_sensitivity: from 0 (no target) to 1.

    Returns:
        The threshold, and a description of the rule by which it was chosen.
    """
    false_alarms, sensitivity, middles = _possible_thresholds(labels, scores)
    if target_sensitivity:
        reached = np.flatnonzero(sensitivity >= target_sensitivity - _TINY)
        return float(middles[reached[0]]), f"sensitivity of at least {target_sensitivity:g}"
    gain = sensitivity - false_alarms
    best = np.flatnonzero(gain >= gain.max() - _TINY)
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]]), "Youden's J"


def operating_points(labels: np.ndarray, scores: np.ndarray) -> list[OperatingPoint]:
    """Further thresholds for which results are reported: 0.5, and the lowest that reach each of `SPECIFICITIES`.

    Args:
        labels: int (N,), 0 or 1, both present; of the validation split.
        scores: float (N,), probabilities.
    """
    false_alarms, _, middles = _possible_thresholds(labels, scores)
    points: list[OperatingPoint] = [{"name": "threshold 0.5", "threshold": 0.5, "chosen_on": None}]
    for specificity in SPECIFICITIES:
        reached = np.flatnonzero(1 - false_alarms >= specificity - _TINY)
        name = f"{specificity:.0%} specificity"
        points.append({"name": name, "threshold": float(middles[reached[-1]]), "chosen_on": "validation"})
    return points


def _possible_thresholds(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, sensitivity and threshold of each way to divide the scores, from high to low thresholds."""
    false_alarms, sensitivity, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    below = np.append(thresholds[1:], 0.0)
    # The first threshold lies above the highest score, so that nothing is positive; if that is 1, it is just above 1.
    middles = (np.minimum(thresholds, np.nextafter(1, 2)) + below) / 2
    middles[0] = max(middles[0], np.nextafter(thresholds[1], 2))
    return false_alarms, sensitivity, np.clip(middles, 0.0, np.nextafter(1, 2))


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
