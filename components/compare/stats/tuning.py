"""How much the regimes depend on a setting that was searched, on validation, and whether their order changes."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from components import roc_auc
from components.artifacts.tuning_result import Reversal
from components.compare.stats import evidence, uncertainty
from components.compare.stats.uncertainty import Estimate, UncertainDifference

Rows = Mapping[str, Mapping[float, Sequence[int]]]
"""{regime: {multiple: positions of its trainings in the estimate}}."""


def estimate(labels: np.ndarray, patients: np.ndarray, scores: np.ndarray) -> Estimate:
    """ROC AUC of several models on the same images, with DeLong's covariance.

    Args:
        labels: int (N,), 0 or 1, both present.
        patients: (N,), patient of each image.
        scores: float64 (K, N).
    """
    areas, covariance = roc_auc.covariance_of_areas(labels, patients, scores)
    return Estimate(areas, covariance, evidence.degrees_of_freedom(labels, patients))


def common(rows: Rows) -> list[float]:
    """The multiples that all regimes have, ascending."""
    return sorted(set.intersection(*(set(own) for own in rows.values()))) if rows else []


def orders(found: Estimate, rows: Rows) -> dict[float, list[str]]:
    """For each multiple that all regimes have: the regimes, the highest mean first."""
    return {
        multiple: sorted(rows, key=lambda name: -found.values[list(rows[name][multiple])].mean())
        for multiple in common(rows)
    }


def reversals(found: Estimate, rows: Rows) -> list[Reversal]:
    """The pairs of regimes whose order is not the same with every multiple.

    The two multiples at which a pair differs most in either direction were selected among all, and the pair among all
    pairs. So a reversal counts as shown only if both intervals exclude 0 at a level shared by all differences
    (Bonferroni).

    Args:
        found: ROC AUC of all trainings on the validation images.
        rows: their positions.
    """
    pairs = list(combinations(rows, 2))
    reversed_pairs: list[Reversal] = []
    for a, b in pairs:
        multiples = common({a: rows[a], b: rows[b]})
        gaps = {one: found.difference(rows[a][one], rows[b][one]) for one in multiples}
        if not gaps:
            continue
        ahead, behind = max(gaps, key=lambda one: gaps[one].value), min(gaps, key=lambda one: gaps[one].value)
        if not gaps[ahead].value > 0 > gaps[behind].value:
            continue
        level = 1 - (1 - uncertainty.CONFIDENCE) / (len(pairs) * len(multiples))
        reversed_pairs.append(
            {
                "a": a,
                "b": b,
                "multiples": [ahead, behind],
                "differences": [
                    {"value": gaps[one].value, "ci95": uncertainty.difference_interval(gaps[one])}
                    for one in (ahead, behind)
                ],
                "shown": _excludes_zero(gaps[ahead], level) and _excludes_zero(gaps[behind], level),
            }
        )
    return reversed_pairs


def _excludes_zero(gap: UncertainDifference, confidence: float) -> bool:
    low, high = uncertainty.difference_interval(gap, confidence=confidence)
    return not low <= 0 <= high
