"""Choosing the score from which on an image is classified as pneumonia, also in resampled validation images.

Evaluate chooses a threshold on the validation images; compare repeats the choice in every bootstrap sample of them, so
that its intervals include what another validation split would have changed.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

_TINY = 1e-12
_ABOVE_ONE = np.nextafter(1, 2)


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen.

    Attributes:
        kind: "youden" maximises sensitivity + specificity, that is Youden's J (Youden 1950,
            doi:10.1002/1097-0142(1950)3:1<32::aid-cncr2820030106>3.0.co;2-3), and of several maxima takes the one
            closest to 0.5; "sensitivity" takes the highest threshold that reaches `level`, "specificity" the lowest;
            "fixed" is `level` itself, whatever the images.
        level: the sensitivity or specificity to reach, or the fixed threshold; without meaning for Youden's J.
    """

    kind: Literal["youden", "sensitivity", "specificity", "fixed"]
    level: float = 0.0

    @property
    def words(self) -> str:
        """The rule as reports show it."""
        return {
            "youden": "Youden's J",
            "sensitivity": f"sensitivity of at least {self.level:g}",
            "specificity": f"{self.level:.0%} specificity",
            "fixed": f"threshold {self.level:g}",
        }[self.kind]


YOUDEN = Rule("youden")

OPERATING_POINTS = (Rule("fixed", 0.5), Rule("specificity", 0.9), Rule("specificity", 0.95))
"""Further thresholds for which results are reported."""


def main_rule(target_sensitivity: float) -> Rule:
    """The rule of the main threshold: Youden's J where the target is 0."""
    return Rule("sensitivity", target_sensitivity) if target_sensitivity else YOUDEN


def choose(labels: np.ndarray, scores: np.ndarray, rule: Rule, weights: np.ndarray | None = None) -> np.ndarray:
    """Chooses the lowest score that is classified as pneumonia, once for each row of resampling weights.

    A threshold lies halfway between the two nearest scores of images with a weight.

    Args:
        labels: int (N,), 0 or 1, both present; of the validation images.
        scores: float64 (N,), probabilities.
        rule: how to choose.
        weights: float64 (B, N), how often each image occurs in each of B samples; both classes must have a weight in
            every sample. None for the images as they are.

    Returns:
        Thresholds, float64 (B,); (1,) without weights.
    """
    if weights is None:
        weights = np.ones((1, len(labels)))
    if rule.kind == "fixed":
        return np.full(len(weights), rule.level)
    sensitivity, false_alarms, middles = _cuts(labels, scores, weights)
    if rule.kind == "sensitivity":
        cut = np.argmax(sensitivity >= rule.level - _TINY, axis=1)
    elif rule.kind == "specificity":
        enough = 1 - false_alarms >= rule.level - _TINY
        cut = enough.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1)
    else:
        gain = sensitivity - false_alarms
        best = gain >= gain.max(axis=1, keepdims=True) - _TINY
        cut = np.argmin(np.where(best, np.abs(middles - 0.5), np.inf), axis=1)
    return np.take_along_axis(middles, cut[:, None], axis=1)[:, 0]


def _cuts(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sensitivity, false positive rate and threshold of each way to divide the distinct scores, each (B, G + 1).

    Cut g classifies the g highest of G distinct scores as pneumonia. Scores without a weight do not move a threshold.
    """
    distinct, group = np.unique(-scores, return_inverse=True)
    distinct = -distinct
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    weights, positive = weights[:, order], labels[order] == 1
    of_positives = np.add.reduceat(weights * positive, starts, axis=1)
    of_negatives = np.add.reduceat(weights * ~positive, starts, axis=1)
    present = of_positives + of_negatives > 0
    none = np.zeros((len(weights), 1))
    sensitivity = np.hstack([none, of_positives.cumsum(axis=1)])
    false_alarms = np.hstack([none, of_negatives.cumsum(axis=1)])
    sensitivity /= sensitivity[:, -1:]
    false_alarms /= false_alarms[:, -1:]
    # The nearest scores of images with a weight above and below each cut; nothing lies above the first.
    above = np.minimum.accumulate(np.where(present, distinct, np.inf), axis=1)
    above = np.minimum(np.hstack([np.full_like(none, np.inf), above]), _ABOVE_ONE)
    below = np.maximum.accumulate(np.where(present, distinct, 0.0)[:, ::-1], axis=1)[:, ::-1]
    below = np.hstack([below, none])
    middles = (above + below) / 2
    # With nothing positive the threshold lies above the highest score; if that is 1, it is just above 1.
    nothing = above == _ABOVE_ONE
    middles = np.where(nothing, np.maximum(middles, np.nextafter(below, 2)), middles)
    return sensitivity, false_alarms, np.clip(middles, 0.0, _ABOVE_ONE)
