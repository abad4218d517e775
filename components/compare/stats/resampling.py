"""Every metric of a model, also for resampled patients, and Holm's correction.

One routine computes all metrics for a whole matrix of resampling weights, so 2,000 bootstrap replicates cost a few
sorts and matrix products instead of 2,000 passes. A weight is the number of times an image was drawn in a replicate.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from components.artifacts.evaluation import CALIBRATION_BINS, METRICS

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


def weighted_metrics(labels: np.ndarray, scores: np.ndarray, threshold: float, weights: np.ndarray) -> np.ndarray:
    """Every metric of one model under each row of resampling weights.

    Agrees with scikit-learn's metrics under `sample_weight` (`zero_division=0`). The expected calibration error bins
    the probability of pneumonia itself and compares, bin by bin, its mean with the share of pneumonia.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        scores: (N,), probability of pneumonia.
        threshold: scores at or above it mean pneumonia.
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


def confusion(labels: np.ndarray, scores: np.ndarray, threshold: float, weights: np.ndarray) -> np.ndarray:
    """Weighted counts (B, 4) of true negatives, false positives, false negatives and true positives."""
    positive, called = labels == 1, scores >= threshold
    cells = np.stack([~positive & ~called, ~positive & called, positive & ~called, positive & called], axis=1)
    return weights @ cells.astype(np.float64)


def decision_metrics(
    labels: np.ndarray, scores: np.ndarray, threshold: float, weights: np.ndarray
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
    """The metrics (B,) of the scores as probabilities; arguments as for `weighted_metrics`."""
    error = scores - labels
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error_in_bin = error[:, None] * (bins[:, None] == np.arange(CALIBRATION_BINS))
    total = weights.sum(axis=1)
    return {
        "brier": weights @ error**2 / total,
        "ece": np.abs(weights @ error_in_bin).sum(axis=1) / total,
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


def bootstrap(
    labels: np.ndarray,
    patients: np.ndarray,
    measures: Sequence[Callable[[np.ndarray], np.ndarray]],
    replicates: int = REPLICATES,
    seed: int = BOOTSTRAP_SEED,
) -> np.ndarray:
    """Measures every model on the same resampled patients.

    Images of one patient resemble each other, so patients are drawn, not images (cluster bootstrap: Davison and
    Hinkley 1997, doi:10.1017/CBO9780511802843, section 3.8; Field and Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x). All models see the same draws, which makes their differences paired.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        measures: one per model: takes weights (B, N), returns M metrics for each row of them, (B, M).
        replicates: number of draws.
        seed: of the draws.

    Returns:
        float64 (models, replicates, M).
    """
    parts = [
        [measure(weights) for measure in measures] for weights in patient_weights(labels, patients, replicates, seed)
    ]
    return np.stack([np.concatenate(rows) for rows in zip(*parts, strict=True)])


def patient_weights(
    labels: np.ndarray, patients: np.ndarray, replicates: int, seed: int, chunk_numbers: int = CHUNK_NUMBERS
) -> Iterator[np.ndarray]:
    """Draws patients with replacement, within each class, and counts how often each image occurs in the draw.

    Drawing within the classes keeps both of them in every replicate. A patient with images of both classes belongs
    to pneumonia. The draws do not depend on the size of the chunks.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        replicates: number of draws.
        seed: of the draws.
        chunk_numbers: about this many weights at a time, but always whole replicates.

    Yields:
        Weights (b, N) of the next b replicates.
    """
    names, patient_of_image = np.unique(patients, return_inverse=True)
    has_pneumonia = np.bincount(patient_of_image, weights=labels) > 0
    strata = [members for members in (np.flatnonzero(~has_pneumonia), np.flatnonzero(has_pneumonia)) if len(members)]
    generators = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(strata))]
    rows = max(CHUNK_ROWS, chunk_numbers // len(labels))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        drawn = np.zeros((count, len(names)))
        for members, generator in zip(strata, generators, strict=True):
            drawn[:, members] = _times_drawn(generator, count, len(members))
        yield drawn[:, patient_of_image]


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
