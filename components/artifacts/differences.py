"""Differences of regimes in `results.json`: in metrics, in whether one is about as good, and in training time."""

from typing import TypedDict


class Difference(TypedDict):
    """The difference of two regimes (or of two runs of one regime) in a metric.

    Attributes:
        a, b: the regimes.
        metric: one of `evaluation.METRICS`.
        difference: of a minus b.
        ci95: lower and upper end of its 95% interval.
        p_value: two-sided, of "no difference".
        p_value_holm: corrected for the number of pairs compared in this metric (Holm 1979).
        test: that gave the p-value.
    """

    a: str
    b: str
    metric: str
    difference: float
    ci95: list[float]
    p_value: float
    p_value_holm: float
    test: str


class NonInferiorityPair(TypedDict):
    """Whether one candidate is shown to be less than the margin below another one in ROC AUC.

    Attributes:
        candidate, other: two of the regimes and the baseline.
        loss: ROC AUC of `other` minus that of `candidate`.
        upper_bound: of the loss, at the one-sided `level`.
        shown: whether the bound is at most the margin.
        power: probability that this would be shown if both were equal in truth.
        patients_needed: test patients for which that probability is 80%; None where the variation between seeds alone
            is
            too large for any number.
    """

    candidate: str
    other: str
    loss: float
    upper_bound: float
    shown: bool
    power: float
    patients_needed: int | None


class NonInferiority(TypedDict):
    """Which candidates are shown to be about as good as every other one.

    Attributes:
        margin: how much ROC AUC may be lost.
        level: one-sided error rate of every test, so small that all together err in at most 5% of runs.
        candidates: the regimes, and the baseline where there is one.
        shown: the candidates that are shown to be less than the margin below every other one.
        pairs: every candidate against every other one.
    """

    margin: float
    level: float
    candidates: list[str]
    shown: list[str]
    pairs: list[NonInferiorityPair]


class TimeRatio(TypedDict):
    """The training time of a regime divided by that of another.

    Attributes:
        a, b: the regimes.
        ratio: of the geometric means over the seeds.
        ci95: its 95% interval (Welch's t on the logarithms); None if one was timed only once.
        shown: whether the interval excludes 1.
    """

    a: str
    b: str
    ratio: float
    ci95: list[float] | None
    shown: bool
