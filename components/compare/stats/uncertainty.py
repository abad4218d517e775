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

Where nothing varies, neither under resampling nor between seeds, that is no certainty: other patients may well differ
from these in what all of these have in common. Then the interval is Clopper and Pearson's for as many patients as the
rarer class has (`exact`). Unlike Wilson's it never covers less than 95%, and where a proportion is 0 or 1 it is the
usual bound of what was not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

CONFIDENCE = 0.95

NO_VARIANCE = 1e-18
"""So little is rounding: of the smallest share of 500,000 images the variance is a million times as large."""


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
        if variance < NO_VARIANCE:
            return Estimate(float(weights @ self.values), 0.0, self.degrees_of_freedom)
        doubt = common**2 / self.degrees_of_freedom + sum(part**2 / (size - 1) for part, size in spread)
        return Estimate(float(weights @ self.values), variance, variance**2 / doubt)

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
    doi:10.1177/0962280207087173). At its very bound, and where nothing was seen to vary, it is `exact`.

    Args:
        estimate: of one regime.
        lowest: the figure's lower bound.
        highest: its upper bound.
    """
    share = (estimate.value - lowest) / (highest - lowest)
    if estimate.variance == 0 or not 0 < share < 1:
        ends = exact(share, estimate)
    else:
        half_width = _half_width(estimate) / (highest - lowest) / (share * (1 - share))
        ends = special.expit(special.logit(share) + np.array([-half_width, half_width]))
    return (lowest + (highest - lowest) * ends).tolist()


def difference_interval(estimate: Estimate, span: float = 1.0) -> list[float]:
    """The 95% interval of a difference of two figures that are at most `span` apart."""
    if estimate.variance == 0:
        if _is_none(estimate):
            reach = span * unseen(estimate)
            return [-reach, reach]
        return (span * (2 * exact(_share(estimate, span), estimate) - 1)).tolist()
    half_width = _half_width(estimate)
    return [max(-span, estimate.value - half_width), min(span, estimate.value + half_width)]


def exact(share: float, estimate: Estimate) -> np.ndarray:
    """The 95% interval of Clopper and Pearson 1934 (doi:10.1093/biomet/26.4.404) for a share of the patients.

    A mean of anything between 0 and 1 varies at most as the share of the same size does, so it holds for those too.

    Args:
        share: from 0 to 1.
        estimate: tells how many patients speak.
    """
    patients = estimate.degrees_of_freedom + 1
    hits = min(max(share, 0.0), 1.0) * patients
    doubt = (1 - CONFIDENCE) / 2
    low = stats.beta.ppf(doubt, hits, patients - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - doubt, hits + 1, patients - hits) if hits < patients else 1.0
    return np.array([low, high])


def unseen(estimate: Estimate) -> float:
    """How frequent, at most, a mistake may be that none of the patients showed: `exact` of a share of 0.

    It is for as many patients as the rarer class has, and holds for ROC AUC too: pair each of them with a patient of
    the other class, and all pairs are ranked rightly.
    """
    return float(exact(0.0, estimate)[1])


def p_value(estimate: Estimate, span: float = 1.0) -> float:
    """Two-sided p-value of "no difference", below 0.05 exactly where the interval leaves out zero.

    Without any variation it is that of the exact interval.

    Args:
        estimate: of a difference.
        span: how far apart the two figures can be.
    """
    if estimate.variance == 0:
        if _is_none(estimate):
            return 1.0
        patients = estimate.degrees_of_freedom + 1
        hits = max(_share(estimate, span), 1 - _share(estimate, span)) * patients
        return float(min(1.0, 2 * stats.beta.cdf(0.5, hits, patients - hits + 1)))
    t = abs(estimate.value) / np.sqrt(estimate.variance)
    return float(2 * stats.t.sf(t, estimate.degrees_of_freedom))


def _is_none(estimate: Estimate) -> bool:
    """Whether a difference is none but for rounding."""
    return estimate.value**2 < NO_VARIANCE


def _share(estimate: Estimate, span: float) -> float:
    """A difference as a share: 0 and 1 where the figures are `span` apart, 0.5 where they are equal."""
    return min(1.0, max(0.0, (estimate.value / span + 1) / 2))


def _half_width(estimate: Estimate) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, estimate.degrees_of_freedom) * np.sqrt(estimate.variance))
