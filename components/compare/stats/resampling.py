"""Every metric of a model, also for resampled patients, and Holm's correction.

One routine computes all metrics for a whole matrix of resampling weights, so 2,000 bootstrap replicates cost a few
sorts and matrix products instead of 2,000 passes. A weight is the number of times an image was drawn in a replicate.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from components.artifacts.evaluation import CALIBRATION_BINS, METRICS, logits

REPLICATES = 2000
"""Bootstrap replicates; they estimate a standard error to within 2%."""

BOOTSTRAP_SEED = 20180222
"""Fixed, so that the same predictions always give the same intervals."""

CHUNK_NUMBERS = 20_000
"""Weights in memory at a time (160 KB), which fit into the processor's cache."""

CHUNK_ROWS = 6
"""But at least this many replicates at a time, since the images are sorted again for each chunk."""


def point_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """Every metric of one model on the test images as they are.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        scores: (N,), probability of pneumonia.
        threshold: scores at or above it mean pneumonia.

    Returns:
        {name: value} in the order of `METRICS`.
    """
    values = weighted_metrics(labels, scores, threshold, np.ones((1, len(labels))))[0]
    return dict(zip(METRICS, values.tolist(), strict=True))


def weighted_metrics(
    labels: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Every metric of one model under each row of resampling weights.

    Agrees with scikit-learn's metrics under `sample_weight` (`zero_division=0`). The expected calibration error bins
    the probability of pneumonia itself and compares, bin by bin, its mean with the share of pneumonia.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        scores: (N,), probability of pneumonia.
        threshold: scores at or above it mean pneumonia; one for all replicates, or (B,).
        weights: (B, N), how often each image counts in each of B replicates.

    Returns:
        (B, M), the metrics in the order of `METRICS`. ROC AUC is NaN in a replicate that lacks a class.
    """
    columns = (
        decision_metrics(labels, scores, threshold, weights)
        | _ranking_metrics(labels, scores, weights)
        | calibration_metrics(labels, scores, weights)
    )
    return np.stack([columns[name] for name in METRICS], axis=1)


def confusion(labels: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted counts (B, 4) of true negatives, false positives, false negatives and true positives."""
    positive = labels == 1
    if np.ndim(threshold) == 0:
        called = scores >= threshold
        cells = np.stack([~positive & ~called, ~positive & called, positive & ~called, positive & called], axis=1)
        return weights @ cells.astype(np.float64)
    # With a threshold for each replicate: cumulated weights in the order of the scores, read off at the threshold.
    order = np.argsort(scores, kind="stable")
    cut = np.searchsorted(scores[order], threshold, side="left")[:, None]
    below = []
    for of_class in (~positive, positive):
        cumulated = np.zeros((len(weights), len(scores) + 1))
        np.cumsum(weights[:, order] * of_class[order], axis=1, out=cumulated[:, 1:])
        inside = np.take_along_axis(cumulated, cut, axis=1)[:, 0]
        below += [inside, cumulated[:, -1] - inside]
    return np.stack(below, axis=1)


def decision_metrics(
    labels: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The metrics (B,) that follow from the threshold; arguments as for `weighted_metrics`."""
    tn, fp, fn, tp = confusion(labels, scores, threshold, weights).T
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    # A root for each of the four margins: their product would lose digits, and overflow for very large counts.
    scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return {
        "accuracy": _ratio(tp + tn, tn + fp + fn + tp),
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": _ratio(tp * tn - fp * fn, scale),
        "youden": recall + specificity - 1,
    }


def _ranking_metrics(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """ROC AUC as the weighted share of pairs in the correct order, ties half; PR AUC as average precision."""
    order = np.argsort(-scores, kind="stable")
    ranked, starts = labels[order], _starts_of_ties(scores[order])
    weights = weights[:, order]
    positives = _sums(weights * ranked, starts)
    negatives = _sums(weights * (1 - ranked), starts)
    true_positives, false_positives = positives.cumsum(axis=1), negatives.cumsum(axis=1)
    all_positives, all_negatives = true_positives[:, -1], false_positives[:, -1]
    pairs = all_positives * all_negatives
    # A positive beats every negative that comes after it, and ties with those of an equal score.
    beaten = all_negatives[:, None] - false_positives + negatives / 2
    wins = np.einsum("bg,bg->b", positives, beaten)
    precision = _ratio(true_positives, true_positives + false_positives)
    return {
        "roc_auc": np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0),
        "pr_auc": _ratio(np.einsum("bg,bg->b", positives, precision), all_positives),
    }


def calibration_metrics(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics (B,) of the scores as probabilities; arguments as for `weighted_metrics`.

    The log loss (in nats) is of scores clipped as in `evaluation.logits`, so that one certain mistake does not make it
    infinite.
    """
    error = scores - labels
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error_in_bin = error[:, None] * (bins[:, None] == np.arange(CALIBRATION_BINS))
    total = weights.sum(axis=1)
    return {
        "brier": weights @ error**2 / total,
        "ece": np.abs(weights @ error_in_bin).sum(axis=1) / total,
        "log_loss": weights @ np.logaddexp(0, (1 - 2 * labels) * logits(scores)) / total,
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, and 0 where it is undefined (scikit-learn's `zero_division=0`)."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _starts_of_ties(ranked_scores: np.ndarray) -> np.ndarray:
    """Positions at which a run of equal scores begins."""
    return np.flatnonzero(np.r_[True, ranked_scores[1:] != ranked_scores[:-1]])


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums (B, G) of `values` (B, N) over the groups that begin at `starts`."""
    return values if len(starts) == values.shape[1] else np.add.reduceat(values, starts, axis=1)


def patient_weights(
    labels: np.ndarray, patients: np.ndarray, replicates: int, seed: int, rows: int | None = None
) -> Iterator[np.ndarray]:
    """Draws patients with replacement and counts how often each image occurs in the draw.

    Images of one patient resemble each other, so patients are drawn, not images (cluster bootstrap: Davison and
    Hinkley 1997, doi:10.1017/CBO9780511802843, section 3.8; Field and Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x). Both classes are drawn together, so that the class mix varies between draws
    as it does between samples of a population: precision and accuracy depend on it. A draw without one of the classes
    is made again. The draws do not depend on the number of rows.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        replicates: number of draws.
        seed: of the draws.
        rows: draws at a time; `rows_at_a_time` of the images unless given.

    Yields:
        Weights (b, N) of the next b replicates.
    """
    names, patient_of_image = np.unique(patients, return_inverse=True)
    classes = [np.bincount(patient_of_image, weights=labels == label) > 0 for label in np.unique(labels)]
    first, again = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    rows = rows or rows_at_a_time(len(labels))
    for start in range(0, replicates, rows):
        drawn = _times_drawn(first, min(rows, replicates - start), len(names))
        for row in drawn:
            while not all(row @ members for members in classes):
                row[:] = _times_drawn(again, 1, len(names))[0]
        yield drawn[:, patient_of_image].astype(np.float64)


def bootstrap(draws: Iterable[tuple[Any, ...]], measures: Sequence[Callable[..., np.ndarray]]) -> np.ndarray:
    """Measures every model on the same draws of patients, which makes their differences paired.

    Args:
        draws: weights of some replicates at a time, as the arguments of a measure.
        measures: one per model; returns M metrics for each of b replicates, (b, M).

    Returns:
        float64 (models, replicates, M).
    """
    parts = [[measure(*weights) for measure in measures] for weights in draws]
    return np.stack([np.concatenate(own) for own in zip(*parts, strict=True)])


def rows_at_a_time(images: int) -> int:
    """Number of replicates whose weights fit into the processor's cache, but at least `CHUNK_ROWS`."""
    return max(CHUNK_ROWS, CHUNK_NUMBERS // images)


def _times_drawn(generator: np.random.Generator, count: int, size: int) -> np.ndarray:
    """How often each of `size` items is drawn in `size` draws with replacement, (count, size)."""
    draws = generator.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
    return np.bincount(draws.ravel(), minlength=count * size).reshape(count, size)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number (Holm 1979, a simple sequentially rejective multiple test procedure)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    return adjusted.tolist()
