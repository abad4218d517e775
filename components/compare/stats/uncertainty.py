"""Mean over seeds or difference of two regimes, its 95% interval and p-value, from both sources of variation.

The model. Training s of a regime scores `m_s = mu + P + A_s + E_s` on these test patients: P is the effect of the
choice of test patients on every training of the regime alike, A_s the effect of the training's seed on any patients,
E_s the interaction of this seed with these patients. The target is `mu`, the expected value over all trainings and all
patients of the population. The mean over S seeds has the variance

    Var(P) + (Var(A) + Var(E)) / S.

Resampling patients (those of the test split, and those of the validation split on which thresholds are chosen)
estimates Var(P) as the covariance between the trainings of a regime, and Var(P) + Var(E) as the variance of each. The
variance of the values between seeds, s^2, estimates Var(A) + Var(E). So the variance of the mean is `Var(P) + s^2 / S`,
in which Var(E) counts once, but at least what resampling alone gives for the mean. In a difference of two regimes the
patients are shared, so P enters through their covariance; seeds are not shared, so each regime adds its own.

With few seeds s^2 is uncertain. The t quantile allows for that, with the degrees of freedom of Satterthwaite 1946
(doi:10.2307/3002019). With one seed the second part is unknown, and the interval covers the variation between patients
only.

Where nothing varies, neither under resampling nor between seeds, the value is not therefore certain: other patients may
differ in what all of these have in common. Then the interval is Clopper and Pearson's for as many patients as the rarer
class has (`exact`). Unlike Wilson's it never covers less than 95%, and for a proportion of 0 or 1 it is the usual bound
for an event that was not observed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import special, stats

CONFIDENCE = 0.95

NO_VARIANCE = 1e-18
"""A variance below this is rounding error: that of one image in 500,000 is a million times as large."""


@dataclass(frozen=True)
class UncertainValue:
    """A value and how uncertain it is.

    Attributes:
        value: mean over seeds, or the difference of two such means.
        variance: of the value.
        degrees_of_freedom: of that variance.
        seed_variance: the part of the variance that more patients would not reduce, only more seeds.
    """

    value: float
    variance: float
    degrees_of_freedom: float
    seed_variance: float = 0.0


@dataclass(frozen=True, kw_only=True)
class UncertainDifference(UncertainValue):
    """The difference a - b of two values between the same bounds, which may be correlated.

    Attributes:
        a, b: the two values.
    """

    a: UncertainValue
    b: UncertainValue

    @property
    def correlation(self) -> float:
        """Between a and b, from -1 to 1; 0 where one of them has no variance."""
        scale = 2 * np.sqrt(self.a.variance * self.b.variance)
        shared = self.a.variance + self.b.variance - self.variance
        return float(np.clip(shared / scale, -1, 1)) if scale else 0.0


@dataclass(frozen=True)
class Estimate:
    """One metric of each of K models, estimated on the same test patients.

    Attributes:
        values: float64 (K,).
        covariance: float64 (K, K), between models when the test patients are drawn anew.
        degrees_of_freedom: of the covariance: the number of patients of the rarer class minus one.
    """

    values: np.ndarray
    covariance: np.ndarray
    degrees_of_freedom: int

    def mean(self, rows: Sequence[int]) -> UncertainValue:
        """The mean over the models in `rows`, which are one regime trained with different seeds."""
        return self._combine([(1.0, rows)])

    def difference(self, rows_a: Sequence[int], rows_b: Sequence[int]) -> UncertainDifference:
        """The mean over the models in `rows_a` minus that over the models in `rows_b`."""
        found = self._combine([(1.0, rows_a), (-1.0, rows_b)])
        return UncertainDifference(**asdict(found), a=self.mean(rows_a), b=self.mean(rows_b))

    def _combine(self, groups: list[tuple[float, Sequence[int]]]) -> UncertainValue:
        weights = np.zeros(len(self.values))
        for sign, rows in groups:
            weights[list(rows)] = sign / len(rows)
        value = float(weights @ self.values)
        resampled = max(0.0, float(weights @ self.covariance @ weights))
        # Var(E) / S is part of `resampled` and of the spread between seeds, but must count once.
        inside = sum(self._interaction(rows) for _, rows in groups)
        spread = [(self.values[list(rows)].var(ddof=1) / len(rows), len(rows)) for _, rows in groups if len(rows) > 1]
        common, between = max(0.0, resampled - inside), sum(part for part, _ in spread)
        variance = max(resampled, common + between)
        if variance < NO_VARIANCE:
            return UncertainValue(value, 0.0, self.degrees_of_freedom)
        if variance == resampled:
            return UncertainValue(value, variance, self.degrees_of_freedom)
        doubt = common**2 / self.degrees_of_freedom + sum(part**2 / (size - 1) for part, size in spread)
        # No doubt is left where seeds agree and have no variation between patients in common.
        freedom = variance**2 / doubt if doubt else self.degrees_of_freedom
        return UncertainValue(value, variance, freedom, variance - resampled)

    def _interaction(self, rows: Sequence[int]) -> float:
        """Var(E) / S of one regime."""
        size = len(rows)
        if size == 1:
            return 0.0
        block = self.covariance[np.ix_(rows, rows)]
        diagonal = np.trace(block) / size
        between = (block.sum() - np.trace(block)) / (size * (size - 1))
        return max(0.0, (diagonal - between) / size)


def interval(
    estimated: UncertainValue, lowest: float = 0.0, highest: float = 1.0, confidence: float = CONFIDENCE
) -> list[float]:
    """The interval of a bounded metric, which stays within the bounds.

    It is computed on the logit scale of the share (value - lowest) / (highest - lowest): near a bound, where good
    models are, metrics vary less and not symmetrically (Newcombe 2001, doi:10.1198/000313001317098167; for ROC AUC Qin
    and Hotilovac 2008, doi:10.1177/0962280207087173). For a value at a bound, or without any variance, it is `exact`.

    Args:
        estimated: metric of one regime.
        lowest: the metric's lower bound.
        highest: its upper bound.
        confidence: of the interval.

    Returns:
        Its lower and upper end.
    """
    share = (estimated.value - lowest) / (highest - lowest)
    if estimated.variance == 0 or not 0 < share < 1:
        ends = exact(share, estimated, confidence)
    else:
        half_width = _half_width(estimated, confidence) / (highest - lowest) / (share * (1 - share))
        ends = special.expit(special.logit(share) + np.array([-half_width, half_width]))
    return (lowest + (highest - lowest) * ends).tolist()


def independent_difference(a: UncertainValue, b: UncertainValue) -> UncertainDifference:
    """The difference a - b of two independent values, with the degrees of freedom of Welch and Satterthwaite.

    The variances add (Welch 1947, doi:10.1093/biomet/34.1-2.28).
    """
    variance = a.variance + b.variance
    doubt = a.variance**2 / a.degrees_of_freedom + b.variance**2 / b.degrees_of_freedom
    freedom = variance**2 / doubt if doubt else min(a.degrees_of_freedom, b.degrees_of_freedom)
    return UncertainDifference(a.value - b.value, variance, freedom, a.seed_variance + b.seed_variance, a=a, b=b)


def difference_interval(
    estimated: UncertainDifference, lowest: float = 0.0, highest: float = 1.0, confidence: float = CONFIDENCE
) -> list[float]:
    """The interval (lower and upper end) of a difference of two metrics between the same bounds.

    It combines the distances from both values to the ends of their own intervals (MOVER, Zou and Donner 2008,
    doi:10.1002/sim.3095; for proportions Newcombe 1998), so that it stays within what is possible and, like those, is
    not symmetric near a bound: of two nearly perfect models the difference cannot be as large in one direction as in
    the other. Far from the bounds it is the usual interval.
    """
    span = highest - lowest
    if estimated.variance == 0:
        if _is_zero(estimated):
            reach = span * unseen(estimated, confidence)
            return [-reach, reach]
        return (span * (2 * exact(_share(estimated, span), estimated, confidence) - 1)).tolist()
    # The quantile must be that of the difference: with few seeds it has more degrees of freedom than either value.
    a, b = (replace(part, degrees_of_freedom=estimated.degrees_of_freedom) for part in (estimated.a, estimated.b))
    a_low, a_high = interval(a, lowest, highest, confidence)
    b_low, b_high = interval(b, lowest, highest, confidence)
    below = _joined(a.value - a_low, b_high - b.value, estimated.correlation)
    above = _joined(a_high - a.value, b.value - b_low, estimated.correlation)
    return [max(-span, estimated.value - below), min(span, estimated.value + above)]


def _joined(of_a: float, of_b: float, correlation: float) -> float:
    """The distance from a difference to the end of its interval, from those of its parts."""
    return float(np.sqrt(max(0.0, of_a**2 + of_b**2 - 2 * correlation * of_a * of_b)))


def change_interval(estimated: UncertainValue, confidence: float = CONFIDENCE) -> list[float]:
    """The interval of a change without bounds that matter: value and t quantile times standard error."""
    half_width = _half_width(estimated, confidence)
    return [estimated.value - half_width, estimated.value + half_width]


def exact(share: float, estimated: UncertainValue, confidence: float = CONFIDENCE) -> np.ndarray:
    """The interval of Clopper and Pearson 1934 (doi:10.1093/biomet/26.4.404) for a share of the patients.

    A mean of values between 0 and 1 varies at most as much as a share of the same size, so the interval holds for such
    means too. scipy's `binomtest` takes whole numbers of hits only, hence the beta quantiles.

    Args:
        share: from 0 to 1.
        estimated: its degrees of freedom are the number of patients minus one.
        confidence: of the interval.

    Returns:
        Its ends, float64 (2,).
    """
    patients = estimated.degrees_of_freedom + 1
    hits = min(max(share, 0.0), 1.0) * patients
    doubt = (1 - confidence) / 2
    low = stats.beta.ppf(doubt, hits, patients - hits + 1) if hits > 0 else 0.0
    high = stats.beta.ppf(1 - doubt, hits + 1, patients - hits) if hits < patients else 1.0
    return np.array([low, high])


def unseen(estimated: UncertainValue, confidence: float = CONFIDENCE) -> float:
    """The upper bound of the frequency of a mistake that occurred for no patient: `exact` for a share of 0.

    It counts as many patients as the rarer class has, and holds for ROC AUC too: pair each of them with a patient of
    the other class, and all pairs are ranked correctly.
    """
    return float(exact(0.0, estimated, confidence)[1])


def p_value(estimated: UncertainValue, span: float = 1.0) -> float:
    """Two-sided p-value of "no difference", by Student's t; without any variance that of the exact interval.

    Near a bound it can disagree with `difference_interval`; a difference counts as shown only if both show it.

    Args:
        estimated: a difference.
        span: how far apart the two metrics can be.
    """
    if estimated.variance == 0:
        if _is_zero(estimated):
            return 1.0
        patients = estimated.degrees_of_freedom + 1
        hits = max(_share(estimated, span), 1 - _share(estimated, span)) * patients
        return float(min(1.0, 2 * stats.beta.cdf(0.5, hits, patients - hits + 1)))
    t = abs(estimated.value) / np.sqrt(estimated.variance)
    return float(2 * stats.t.sf(t, estimated.degrees_of_freedom))


def _is_zero(estimated: UncertainValue) -> bool:
    """Whether a difference is zero up to rounding."""
    return estimated.value**2 < NO_VARIANCE


def _share(estimated: UncertainValue, span: float) -> float:
    """A difference as a share: 0 and 1 where the metrics are `span` apart, 0.5 where they are equal."""
    return min(1.0, max(0.0, (estimated.value / span + 1) / 2))


def _half_width(estimated: UncertainValue, confidence: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, estimated.degrees_of_freedom) * np.sqrt(estimated.variance))
