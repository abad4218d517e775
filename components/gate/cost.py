"""Whether a run takes more time or memory than the runs before it: a self-starting CUSUM of logarithms.

Each value is compared with all before it: the distance from their mean, divided by their deviation, has Student's t
distribution if nothing has changed, whatever mean and deviation truly are, and becomes a standard normal variable that
is independent of those before (Hawkins 1987, doi:10.2307/2348827). Their cumulative sum above an allowance rings at a
threshold from the average run length (Brook and Evans 1972, doi:10.1093/biomet/59.3.539).

`docs/gate.md` has the methods, `benchmarks/gate.py` what they achieve.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from components.artifacts.names import REGIME_TITLES

RUNS_PER_ALARM = 800
"""Runs without change for one false alarm, over all charts together: more than the 500 of the goal, since in the first
year, while the reference has few runs, and with heavier tails than the normal distribution's they are more frequent."""

IMPROVEMENTS = 0.2
"""Share of the false alarms that charts which wrongly start anew may cause."""

ALLOWANCE = 0.9
"""Standard deviations of which the sum takes no notice: half of the change that is to be found, 20% at 10% noise."""

LARGEST = 3.0
"""Standard deviations that one run counts at most, so that a single one does not ring."""

LEAST_DEVIATION = 0.02
"""Of the logarithm: smaller changes are not worth an alarm, even of memory, which hardly varies."""

CLEANED_FROM = 8
"""Number of runs from which on those of the reference that are far from the others are moved closer."""

FAR = 4.0
"""Normal standard deviations from the median, by the median absolute deviation."""

HELD = 0.7
"""Share of the threshold above which runs wait until the sum has fallen again before they become part of the reference.
Else a slowdown among the first runs would soon be what is expected. With less, chance rings more often in the first
year, since some runs that happen to be alike are the reference for longer."""

STATES = 200
"""Of the Markov chain."""


@dataclass(frozen=True)
class Cost:
    """The last of a series of runs beside those before.

    Attributes:
        value: of the run.
        expected: mean of the runs before.
        ratio: value / expected.
        statistic: the cumulative sum upwards.
        threshold: from which on it rings.
        alarm: whether it does.
        raised: whether the run itself adds to the sum, so that an alarm of the run before goes on.
        faster: a lasting change for the better: later runs are compared with those since it.
        runs: number of runs of the reference.
        since: index of the run with which the change seems to have begun; None without alarm or change for the better.
    """

    value: float
    expected: float
    ratio: float
    statistic: float
    threshold: float
    alarm: bool
    raised: bool
    faster: bool
    runs: int
    since: int | None


def judge(values: Sequence[float], charts: int = 8) -> Cost:
    """Judges the last of the `values`, which are those of the runs in their order.

    Args:
        values: above 0, of at least one run.
        charts: number of series that are watched together.
    """
    return replay(values, charts)[-1]


def replay(values: Sequence[float], charts: int = 8) -> list[Cost]:
    """What was found after each run."""
    upper = threshold((1 - IMPROVEMENTS) / RUNS_PER_ALARM / charts)
    lower = threshold(IMPROVEMENTS / RUNS_PER_ALARM / charts)
    chart = _Chart(upper, lower)
    return [chart.add(place, math.log(value)) for place, value in enumerate(values)]


class _Chart:
    """Both cumulative sums and the runs that later ones are compared with."""

    def __init__(self, upper: float, lower: float) -> None:
        self._upper, self._lower = upper, lower
        self._reference: list[tuple[int, float]] = []
        self._waiting: list[tuple[int, float]] = []
        self._up, self._down = 0.0, 0.0
        self._up_since, self._down_since = 0, 0

    def add(self, place: int, value: float) -> Cost:
        """Adds the logarithm of a run's value."""
        mean, deviation = _summary([own for _, own in self._reference]) if self._reference else (value, 0.0)
        runs = len(self._reference)
        distance = _normal(value - mean, deviation, runs)
        if self._up == 0:
            self._up_since = place
        if self._down == 0:
            self._down_since = place
        self._up = max(0.0, self._up + distance - ALLOWANCE)
        self._down = max(0.0, self._down - distance - ALLOWANCE)
        self._waiting.append((place, value))
        if self._up <= HELD * self._upper:
            self._reference, self._waiting = self._reference + self._waiting, []
        found = self._up, self._up_since, self._down_since
        alarm, faster = self._up > self._upper, self._down > self._lower
        if alarm:
            # A slowdown that lasts shall ring until somebody accepts it, so it does not become the reference.
            self._reference = [own for own in self._reference if own[0] < self._up_since]
            self._waiting = []
        if faster:
            every = self._reference + self._waiting
            self._reference, self._waiting = [own for own in every if own[0] >= self._down_since], []
        if alarm or faster:
            self._up = self._down = 0.0
        return Cost(
            value=math.exp(value),
            expected=math.exp(mean),
            ratio=math.exp(value - mean),
            statistic=found[0],
            threshold=self._upper,
            alarm=alarm,
            raised=distance > ALLOWANCE,
            faster=faster,
            runs=runs,
            since=found[1] if alarm else found[2] if faster else None,
        )


def _summary(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, after values far from the others were moved closer."""
    logs = np.array(values)
    if len(logs) >= CLEANED_FROM:
        middle = np.median(logs)
        spread = max(LEAST_DEVIATION, float(np.median(np.abs(logs - middle))) / 0.6745)
        logs = np.clip(logs, middle - FAR * spread, middle + FAR * spread)
    return float(logs.mean()), float(logs.std(ddof=1)) if len(logs) > 1 else 0.0


def _normal(distance: float, deviation: float, runs: int) -> float:
    """The distance of a run from the mean of those before as a standard normal variable."""
    if runs < 2:
        return 0.0
    t = distance / (max(deviation, LEAST_DEVIATION) * math.sqrt(1 + 1 / runs))
    return float(np.clip(special.ndtri(special.stdtr(runs - 1, t)), -LARGEST, LARGEST))


@lru_cache
def threshold(rate: float) -> float:
    """The threshold with which a chart rings falsely in this share of the runs."""
    low, high = 0.0, 12.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if run_length(middle) < 1 / rate else (low, middle)
    return high


def run_length(limit: float) -> float:
    """Average number of runs until the sum, from 0, exceeds `limit` although nothing has changed.

    A Markov chain of `STATES` states, that of 0 half as wide as the others (Brook and Evans 1972).
    """
    width = 2 * limit / (2 * STATES - 1)
    states = width * np.arange(STATES)
    edges = states[None, :] + width / 2 - states[:, None] + ALLOWANCE
    below = np.where(edges >= LARGEST, 1.0, np.where(edges < -LARGEST, 0.0, special.ndtr(edges)))
    moves = np.diff(below, axis=1, prepend=0.0)
    return float(np.linalg.solve(np.eye(STATES) - moves, np.ones(STATES))[0])


def sentence(chart: str, regime: str, cost: Cost, since_run_name: str) -> str:
    """The reason of an alarm.

    Args:
        chart: "time" or "memory".
        regime: its name.
        cost: of the run.
        since_run_name: name of the run `cost.since`.
    """
    what = {"time": "training time", "memory": "memory"}.get(chart, chart)
    change = f"{abs(cost.ratio - 1):.0%} {'more' if cost.ratio >= 1 else 'less'} {what}"
    return (
        f"{REGIME_TITLES.get(regime, regime)}: {change} than expected from {cost.runs} runs; it has been higher since "
        f"{since_run_name}"
    )
