"""From figures of single trainings to a value, its 95% interval and a p-value that know both sources of variation.

The model. Training s of a regime scores `m_s = mu + P + A_s + E_s` on these test patients: P is what the choice of test
patients does to every training of the regime alike, A_s what the training's seed does on any patients, E_s what this
seed does on just these patients. Wanted is `mu`, the regime's figure over all trainings and all patients of the kind.
The mean over S seeds varies by

    Var(P) + (Var(A) + Var(E)) / S.

Resampling patients shows Var(P) as the covariance between the trainings of a regime, and Var(P) + Var(E) as the
variance of each. The spread of the figures between seeds, s^2, shows Var(A) + Var(E). So the variance is
`Var(P) + s^2 / S`, in which Var(E) counts once, and at least what resampling alone shows for the mean. In a difference
of two regimes the patients are shared, so that P enters through their covariance; seeds are not shared, so each regime
adds its own.

Few seeds leave s^2 uncertain. The t quantile allows for that, with the degrees of freedom of Satterthwaite 1946
(doi:10.2307/3002019). With one seed the second part is unknown, and the interval speaks of patients only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and how sure it is.

    Attributes:
        value: mean over seeds, or the difference of two such means.
        variance: of the value.
        degrees_of_freedom: of that variance.
    """

    value: float
    variance: float
    degrees_of_freedom: float


@dataclass(frozen=True)
class Figure:
    """One figure of every model, on the same test patients.

    Attributes:
        values: (K,).
        covariance: (K, K), under other patients.
        degrees_of_freedom: of the covariance: how many patients speak, less one.
    """

    values: np.ndarray
    covariance: np.ndarray
    degrees_of_freedom: int

    def mean(self, seeds: Sequence[int]) -> Estimate:
        """The mean over the models `seeds` (positions), which are one regime trained with different seeds."""
        return self._estimate([(1.0, seeds)])

    def difference(self, seeds_a: Sequence[int], seeds_b: Sequence[int]) -> Estimate:
        """The mean of one regime less that of another."""
        return self._estimate([(1.0, seeds_a), (-1.0, seeds_b)])

    def _estimate(self, groups: list[tuple[float, Sequence[int]]]) -> Estimate:
        weights = np.zeros(len(self.values))
        for sign, rows in groups:
            weights[list(rows)] = sign / len(rows)
        resampled = max(0.0, float(weights @ self.covariance @ weights))
        # What the seeds' own patients add, Var(E) / S, is in `resampled` and in the spread: it must count once.
        inside = sum(self._interaction(rows) for _, rows in groups)
        spread = [(self.values[list(rows)].var(ddof=1) / len(rows), len(rows)) for _, rows in groups if len(rows) > 1]
        common = max(0.0, resampled - inside)
        variance = max(resampled, common + sum(part for part, _ in spread))
        doubt = common**2 / self.degrees_of_freedom + sum(part**2 / (size - 1) for part, size in spread)
        return Estimate(
            float(weights @ self.values), variance, variance**2 / doubt if doubt else self.degrees_of_freedom
        )

    def _interaction(self, rows: Sequence[int]) -> float:
        """Var(E) / S of one regime."""
        size = len(rows)
        if size == 1:
            return 0.0
        block = self.covariance[np.ix_(rows, rows)]
        diagonal = np.trace(block) / size
        between = (block.sum() - np.trace(block)) / (size * (size - 1))
        return max(0.0, (diagonal - between) / size)


def interval(estimate: Estimate, lowest: float = 0.0, highest: float = 1.0) -> list[float]:
    """The 95% interval of a bounded figure, which stays within its bounds.

    It is built on the logit scale: near a bound, where good models are, figures vary less and not symmetrically
    (Newcombe 2001, doi:10.1198/000313001317098167; for ROC AUC Qin and Hotilovac 2008,
    doi:10.1177/0962280207087173). At its very bound, where nothing was seen to vary, see `unseen`.

    Args:
        estimate: of one regime.
        lowest: the figure's lower bound.
        highest: its upper bound.
    """
    share = (estimate.value - lowest) / (highest - lowest)
    if not 0 < share < 1:
        reach = (highest - lowest) * unseen(estimate)
        return [max(lowest, estimate.value - reach), min(highest, estimate.value + reach)]
    half_width = _half_width(estimate) / (highest - lowest) / (share * (1 - share))
    ends = special.expit(special.logit(share) + np.array([-half_width, half_width]))
    return (lowest + (highest - lowest) * ends).tolist()


def difference_interval(estimate: Estimate, span: float = 1.0) -> list[float]:
    """The 95% interval of a difference of two figures that are at most `span` apart."""
    half_width = _half_width(estimate) if estimate.variance else span * unseen(estimate)
    return [max(-span, estimate.value - half_width), min(span, estimate.value + half_width)]


def unseen(estimate: Estimate) -> float:
    """How frequent, at most, a mistake may be that none of the patients showed.

    The exact bound (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404) for as many patients as the rarer class has.
    It holds for ROC AUC too: pair each of them with a patient of the other class, and all pairs are ranked rightly.
    """
    return float(1 - ((1 - CONFIDENCE) / 2) ** (1 / (estimate.degrees_of_freedom + 1)))


def p_value(estimate: Estimate) -> float:
    """Two-sided p-value of "no difference", below 0.05 exactly where the interval leaves out zero.

    Without any variation there is nothing to judge by: 1.
    """
    if estimate.variance == 0:
        return 1.0
    t = abs(estimate.value) / np.sqrt(estimate.variance)
    return float(2 * stats.t.sf(t, estimate.degrees_of_freedom))


def _half_width(estimate: Estimate) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, estimate.degrees_of_freedom) * np.sqrt(estimate.variance))
