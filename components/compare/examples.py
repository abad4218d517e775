"""Selects the test images that the report shows."""

import numpy as np

from components.compare.inputs import Inputs

TYPICAL, MISTAKES, DISAGREEMENTS = 2, 6, 4
"""Number of images: typical ones per class, mistakes, disagreements."""


def mistakes(inputs: Inputs) -> np.ndarray:
    """Whether the first seed of each regime is wrong on each test image, bool (R, N)."""
    models = [own[0] for own in inputs.regimes.values()]
    return np.stack([(model.scores >= model.threshold) != inputs.labels for model in models])


def choose(labels: np.ndarray, patients: np.ndarray, scores: np.ndarray, wrong: np.ndarray) -> dict[str, list[int]]:
    """Chooses images by rule, never by hand; no patient occurs twice for the same reason.

    Typical are the images with a mean score next to the median of their class, among those that all regimes classify
    correctly. Mistakes are ordered by their confidence: the distance of the score from the label, in the regime with
    the largest. Disagreements are ordered by the distance between the highest and the lowest score of an image.

    Args:
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), patient of each image.
        scores: float64 (R, N), calibrated, of each regime.
        wrong: bool (R, N), whether the regime's decision differs from the label.

    Returns:
        {"typical", "mistakes" or "disagreements": positions of images, the most informative first}.
    """
    distance = np.where(wrong, np.abs(scores - labels), 0.0).max(axis=0)
    spread = scores.max(axis=0) - scores.min(axis=0)
    return {
        "typical": [row for label in (0, 1) for row in _typical(labels == label, patients, scores, wrong)],
        "mistakes": _first(_largest(distance), patients, MISTAKES),
        "disagreements": _first(_largest(spread), patients, DISAGREEMENTS),
    }


def _typical(of_class: np.ndarray, patients: np.ndarray, scores: np.ndarray, wrong: np.ndarray) -> list[int]:
    means = scores.mean(axis=0)
    known = np.flatnonzero(of_class & ~wrong.any(axis=0))
    if not len(known):
        return []
    distance = np.abs(means[known] - np.median(means[known]))
    return _first(known[np.argsort(distance, kind="stable")], patients, TYPICAL)


def _largest(values: np.ndarray) -> np.ndarray:
    """Positions of the positive values, the largest first."""
    return np.argsort(-values, kind="stable")[: int((values > 0).sum())]


def _first(rows: np.ndarray, patients: np.ndarray, number: int) -> list[int]:
    """The first `number` rows of different patients."""
    found: dict[str, int] = {}
    for row in rows:
        if len(found) == number:
            break
        found.setdefault(patients[row], int(row))
    return list(found.values())
