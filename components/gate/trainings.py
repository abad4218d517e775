"""How much trainings of one recipe vary in ROC AUC, from all runs of a line.

Variances are those of the fourth root of 1 - ROC AUC, whose distribution over trainings is nearly normal and about as
wide near 1 as elsewhere; ROC AUC itself is skewed. (For the chi-squared distribution: Hawkins and Wixley 1986.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

USUAL_DEVIATION, USUAL_FREEDOM = 0.03, 6.0
"""Standard deviation between trainings, of the fourth root, as long as nothing is known of this line, and the degrees
of freedom that this counts as: 0.009 at a ROC AUC of 0.97, 0.004 at 0.99. `docs/gate.md` has what was measured."""

ENOUGH = 12
"""Degrees of freedom of a line's own runs from which on what is usual does not count."""

OUTLIER = 1e-4
"""Probability with which a run is wrongly left out when the variation between trainings is estimated."""


@dataclass(frozen=True)
class Variance:
    """A variance of fourth roots, with its degrees of freedom."""

    value: float
    freedom: float


def between_trainings(runs: Sequence[Sequence[float]], edge: float = 1e-9) -> Variance:
    """The variance between trainings of a regime, of the rescaled ROC AUC.

    It is that between the seeds of a run, pooled over runs, and that between runs of one seed. Equal runs count once,
    since the same seeds give the same models on a CPU. A run that varies, or differs from the champion and those like
    it, far more than others has changed; it is left out, however many there are. Until the runs have `ENOUGH` degrees
    of freedom, the usual deviation counts too, ever less.

    Args:
        runs: the ROC AUCs by seed of each run: the champion's, then the others in their order.
        edge: distance from 1 that ROC AUCs are kept at.
    """
    distinct = list({tuple(sorted(round(value, 9) for value in run)): None for run in runs if len(run)})
    flat = iter(rescaled([value for run in distinct for value in run], edge).tolist())
    values = [[next(flat) for _ in run] for run in distinct]
    return _parts(values).variance()


def rescaled(areas: Sequence[float], edge: float) -> np.ndarray:
    """The negative fourth root of 1 - ROC AUC: greater is better."""
    return -np.sqrt(np.sqrt(np.maximum(edge, 1 - np.asarray(areas, dtype=np.float64))))


def area(rescaled: np.ndarray) -> np.ndarray:
    """The ROC AUC of which `rescaled` is this."""
    return 1 - np.clip(-rescaled, 0, 1) ** 4


@dataclass
class _Parts:
    """Squares between trainings, and their degrees of freedom."""

    squares: float = 0.0
    freedom: int = 0

    def variance(self) -> Variance:
        """The variance, in which what is usual counts less the more is known."""
        usual = USUAL_FREEDOM * max(0.0, 1 - self.freedom / ENOUGH)
        freedom = usual + self.freedom
        return Variance((usual * USUAL_DEVIATION**2 + self.squares) / freedom, freedom)


def _parts(runs: Sequence[Sequence[float]]) -> _Parts:
    """The squares of `runs` without those whose squares are so large only with the probability `OUTLIER`."""
    parts, mean, singles = _Parts(), 0.0, 0
    for run in runs:
        size, own = len(run), math.fsum(run) / len(run)
        if size == 1 and not singles:
            mean, singles = own, 1
            continue
        freedom = max(1, size - 1)
        # Of runs with one seed, the distance from the mean of those before: the squares add up to that around the mean.
        squares = sum((value - own) ** 2 for value in run) if size > 1 else (own - mean) ** 2 * singles / (singles + 1)
        before = parts.variance()
        if squares / freedom > _unlikely(freedom, before.freedom) * before.value:
            continue
        parts.squares, parts.freedom = parts.squares + squares, parts.freedom + freedom
        if size == 1:
            singles += 1
            mean += (own - mean) / singles
    return parts


def _unlikely(freedom: float, others: float) -> float:
    """The ratio of two estimates of a variance that is exceeded with the probability `OUTLIER`."""
    return float(special.fdtri(freedom, others, 1 - OUTLIER))
