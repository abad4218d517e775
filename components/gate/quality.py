"""Whether a run's models are worse or better than the champion's, on the same test images.

Two runs of the same recipe differ, because trainings do, and a run that is new may differ in what its models find hard.
So the difference of two runs has the variance of `components.compare`'s statistics: that of drawing other test
patients, from the covariance of all models' ROC AUCs, and that between trainings, in which the interaction of training
and patients counts once. One run has too few trainings to tell how much they vary, so all earlier runs of the line are
taken together (`trainings.py`).

`docs/gate.md` has the methods, `benchmarks/gate.py` what they achieve.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from components import roc_auc
from components.artifacts.names import REGIME_TITLES
from components.gate.trainings import Variance, area, between_trainings, rescaled

ALARMS_PER_YEAR = 0.05
"""Largest share of years without change in which any regime is called worse."""

MARGIN = 0.01
"""Loss of ROC AUC that is small enough, as in the comparison of regimes."""

MARGIN_LEVEL = 0.05
"""One-sided level of non-inferiority."""


@dataclass(frozen=True)
class Quality:
    """A regime of a run beside that of the champion.

    Attributes:
        regime: its name.
        champion, challenger: mean ROC AUC over seeds.
        difference: challenger minus champion.
        low, high: one-sided bounds of the difference, each at `level`.
        level: the share of the year's false alarms that this test may use.
        worse, better: whether that is shown.
        margin: of non-inferiority.
        noninferior: whether a loss of the margin or more is excluded, at `MARGIN_LEVEL`.
        power: with which non-inferiority is shown if nothing has changed.
        seed_deviation: estimated standard deviation of ROC AUC between trainings.
    """

    regime: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    level: float
    worse: bool
    better: bool
    margin: float
    noninferior: bool
    power: float
    seed_deviation: float


def judge(
    labels: np.ndarray,
    patients: np.ndarray,
    champion: Mapping[str, np.ndarray],
    challenger: Mapping[str, np.ndarray],
    earlier: Mapping[str, Sequence[Sequence[float]]],
    runs_per_year: float = 52,
) -> dict[str, Quality]:
    """Compares a run with the champion in every regime that both have.

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both present.
        patients: (N,), patient of each test image.
        champion: for each regime the scores (S, N) of its trainings.
        challenger: likewise (S', N); S' may differ.
        earlier: for each regime the ROC AUCs by seed of each recorded run of this line (same data, same recipe), in
            their order, without the challenger's; first the champion's, and none in which this regime rang.
        runs_per_year: over which the false alarms of a year are spread.

    Returns:
        For each regime what was found.
    """
    names = [name for name in challenger if name in champion]
    level = ALARMS_PER_YEAR / runs_per_year / max(1, len(names))
    # One wrongly ranked pair of images in two such test sets: at 1 the scale is too steep.
    edge = 0.5 / (np.sum(labels == 1) * np.sum(labels == 0))
    found = {}
    for name in names:
        a, b = np.atleast_2d(champion[name]).astype(np.float64), np.atleast_2d(challenger[name]).astype(np.float64)
        between = between_trainings(earlier.get(name, ()), edge)
        if _same(a, b):
            found[name] = _unchanged(name, _Comparison(labels, patients, a, a, between, edge), level)
        else:
            found[name] = _judged(name, _Comparison(labels, patients, a, b, between, edge), level)
    return found


class _Comparison:
    """Two runs' ROC AUCs on the scale of `trainings.rescaled`, and the variances of these and of their difference."""

    def __init__(
        self, labels: np.ndarray, patients: np.ndarray, a: np.ndarray, b: np.ndarray, between: Variance, edge: float
    ) -> None:
        areas, self._covariance = roc_auc.covariance_of_areas(labels, patients, np.concatenate([a, b]))
        self._rows = [np.arange(len(a)), len(a) + np.arange(len(b))]
        self._between = between
        self.values = [float(areas[rows].mean()) for rows in self._rows]
        self.rescaled = np.array([rescaled(areas[rows].tolist(), edge).mean() for rows in self._rows])
        self.slopes = 4 * np.abs(self.rescaled) ** 3
        # Of the class that fewer patients have.
        self.patients = min(len(np.unique(patients[labels == label])) for label in (0, 1))

    def variance(self, signs: Mapping[int, float]) -> Variance:
        """That of the sum of the runs' rescaled ROC AUCs, each with its sign."""
        weights = np.zeros(len(self._covariance))
        for run, sign in signs.items():
            weights[self._rows[run]] = sign / len(self._rows[run]) / self.slopes[run]
        resampled = max(0.0, float(weights @ self._covariance @ weights))
        seeds = sum(1 / len(self._rows[run]) for run in signs)
        interaction = self._interaction()
        # With one training a run nothing tells interaction from what a run's trainings have in common.
        common = 0.0 if interaction is None else max(0.0, resampled - interaction * seeds)
        between = self._between.value * seeds
        freedom = max(1, self.patients - 1)
        if resampled >= common + between:
            return Variance(resampled, freedom)
        doubt = common**2 / freedom + between**2 / self._between.freedom
        return Variance(common + between, (common + between) ** 2 / doubt)

    def _interaction(self) -> float | None:
        """The variance of the interaction of a training with the test patients, from runs of several trainings."""
        parts, freedom = 0.0, 0
        for rows, slope in zip(self._rows, self.slopes, strict=True):
            size = len(rows)
            if size > 1:
                block = self._covariance[np.ix_(rows, rows)] / slope**2
                parts += size * np.trace(block) - block.sum()
                freedom += size * (size - 1)
        return max(0.0, float(parts / freedom)) if freedom else None

    def deviation(self) -> float:
        """Between trainings, of ROC AUC, at the champion's."""
        return float(math.sqrt(self._between.value) * self.slopes[0])


def _judged(name: str, compared: _Comparison, level: float) -> Quality:
    champion, challenger = compared.values
    variance = compared.variance({0: -1.0, 1: 1.0})
    reach = float(special.stdtrit(variance.freedom, 1 - level)) * math.sqrt(variance.value)
    start, end = compared.rescaled
    low, high = area(np.array([end - reach, end + reach])) - area(start)
    bound, power = _non_inferiority(compared, variance)
    return Quality(
        regime=name,
        champion=champion,
        challenger=challenger,
        difference=challenger - champion,
        low=float(low),
        high=float(high),
        level=level,
        worse=bool(end + reach < start),
        better=bool(end - reach > start),
        margin=MARGIN,
        noninferior=bound <= MARGIN,
        power=power,
        seed_deviation=compared.deviation(),
    )


def _unchanged(name: str, compared: _Comparison, level: float) -> Quality:
    """The same models again: there is no difference, for any patients."""
    value = compared.values[0]
    return Quality(
        regime=name,
        champion=value,
        challenger=value,
        difference=0.0,
        low=0.0,
        high=0.0,
        level=level,
        worse=False,
        better=False,
        margin=MARGIN,
        noninferior=True,
        power=1.0,
        seed_deviation=compared.deviation(),
    )


def _non_inferiority(compared: _Comparison, variance: Variance) -> tuple[float, float]:
    """The upper bound of the loss of ROC AUC, and the power to show that it is below the margin if nothing changed.

    The bound is that of Zou and Donner 2008 (doi:10.1002/sim.3095), from the distances of both values to the ends of
    their own intervals, as in the comparison of regimes.
    """
    champion, challenger = compared.values
    own = [compared.variance({run: 1.0}).value for run in (0, 1)]
    quantile = float(special.stdtrit(variance.freedom, 1 - MARGIN_LEVEL))
    # What was observed for no patient may occur for others: the exact bound of Clopper and Pearson.
    unseen = 1 - MARGIN_LEVEL ** (1 / compared.patients)
    reach = quantile * np.sqrt(own)
    centre = area(compared.rescaled)
    up = 0.0 if champion == 1 else area(compared.rescaled[0] + reach[0]) - centre[0]
    down = unseen if challenger == 1 else centre[1] - area(compared.rescaled[1] - reach[1])
    correlation = np.clip((own[0] + own[1] - variance.value) / (2 * math.sqrt(own[0] * own[1])), -1, 1)
    joined = math.sqrt(max(0.0, up**2 + down**2 - 2 * correlation * up * down))
    error = math.sqrt(variance.value) * compared.slopes[0]
    return champion - challenger + joined, float(special.ndtr((MARGIN - joined) / error))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether both have the same models, in whatever order."""
    return sorted(row.tobytes() for row in a) == sorted(row.tobytes() for row in b)


def sentence(quality: Quality) -> str:
    """The reason of an alarm."""
    change = f"{quality.difference:+.3f}".replace("-", "−")
    return (
        f"{REGIME_TITLES.get(quality.regime, quality.regime)}: ROC AUC {quality.challenger:.3f}, {change} from the "
        f"champion's {quality.champion:.3f} on the same test images; a loss of {-quality.high:.4f} or more is shown"
    )
