"""Simulated costs and changes of the data for `benchmarks.gate`, judged by the gate."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.gate_years import PLANTED, WEEKS
from benchmarks.simulated import PNEUMONIA
from components.artifacts.image_table import STATISTICS
from components.gate import cost, drift

CHARTS = 8
"""Time and memory of four regimes."""

PATIENTS, WEEKLY, LOST = 500, 10, 1
"""Patients of the data at first, and those that are added and lost every week."""

TESTED = 0.12
"""Share of the patients in the test split, whose images have scores."""


@dataclass(frozen=True)
class Noise:
    """How the cost of unchanged runs varies.

    Attributes:
        name: for tables.
        deviation: of the logarithm.
        busy: share of the runs that take twice as long.
        memory: correlation between the noise of successive runs.
        heavy: whether the noise has the tails of Student's t with four degrees of freedom.
    """

    name: str
    deviation: float
    busy: float = 0.0
    memory: float = 0.0
    heavy: bool = False


def series(noise: Noise, runs: int, random: np.random.Generator) -> np.ndarray:
    """The logarithms of the costs of `runs` runs."""
    own = random.standard_t(4, size=runs) / math.sqrt(2) if noise.heavy else random.normal(size=runs)
    for place in range(1, runs if noise.memory else 0):
        own[place] = noise.memory * own[place - 1] + math.sqrt(1 - noise.memory**2) * own[place]
    return noise.deviation * own + math.log(2) * (random.random(runs) < noise.busy)


def false_alarms(noise: Noise, runs: int, repetitions: int, seed: int) -> tuple[float, float]:
    """False alarms in 500 runs of all charts together, and the standard error.

    Args:
        noise: of the costs.
        runs: length of each series.
        repetitions: number of series.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    counts = [
        sum(own.alarm for own in cost.replay(np.exp(series(noise, runs, random)).tolist(), CHARTS))
        for _ in range(repetitions)
    ]
    unit = 500 * CHARTS / runs
    return float(np.mean(counts)) * unit, float(np.std(counts)) / math.sqrt(repetitions) * unit


def slowdown(
    noise: Noise, factor: float, repetitions: int, seed: int, planted: int = PLANTED
) -> dict[str, list[float]]:
    """Whether a lasting change by `factor` from run `planted` on rang within one, two and five runs."""
    random = np.random.default_rng(seed)
    outcomes: dict[str, list[float]] = {"within 1": [], "within 2": [], "within 5": []}
    for _ in range(repetitions):
        logs = series(noise, planted + 5, random)
        logs[planted:] += math.log(factor)
        rang = [own.alarm for own in cost.replay(np.exp(logs).tolist(), CHARTS)[planted:]]
        for name, values in outcomes.items():
            values.append(float(any(rang[: int(name.split()[1])])))
    return outcomes


@dataclass(frozen=True)
class Change:
    """What is different in the images of the patients that are added from run `PLANTED` on.

    Attributes:
        name: for tables.
        weekly: patients that are added every week.
        brightness: difference in standard deviations.
        pneumonia: share of the patients.
    """

    name: str
    weekly: int = WEEKLY
    brightness: float = 0.0
    pneumonia: float = PNEUMONIA


def patients(first: int, count: int, random: np.random.Generator, change: Change | None = None) -> pd.DataFrame:
    """The table of the images of new patients, numbered from `first`; images of one patient are alike."""
    ill = random.random(count) < (change.pneumonia if change else PNEUMONIA)
    test = random.random(count) < TESTED
    owner = np.repeat(np.arange(count), 1 + random.poisson(1.0, count))
    table = pd.DataFrame({"patient": first + owner, "label": ill[owner].astype(int)})
    table["image"] = [f"{first}-{place}" for place in range(len(table))]
    for name in STATISTICS:
        table[name] = 0.8 * random.normal(size=count)[owner] + 0.6 * random.normal(size=len(table))
    if change:
        table["brightness"] += change.brightness
    logit = 3 * (2 * table["label"] - 1) + random.normal(size=count)[owner] + random.normal(size=len(table))
    table["score"] = np.where(test[owner], 1 / (1 + np.exp(-logit)), np.nan)
    return table


def data_year(change: Change, seed: int, first: int = 1, weeks: int = WEEKS) -> list[bool]:
    """Whether each run from `first` to the first alarm rang, after patients were added and others lost each week."""
    random = np.random.default_rng(seed)
    before, rang = patients(0, PATIENTS, random), []
    for week in range(1, weeks):
        new = patients(10_000 * week, change.weekly, random, change if week >= PLANTED else None)
        lost = random.choice(before["patient"].unique(), LOST, replace=False)
        after = pd.concat([before[~before["patient"].isin(lost)], new], ignore_index=True)
        if week >= first:
            rang.append(drift.judge(before, after, WEEKS, seed=week).alarm)
            if rang[-1]:
                break
        before = after
    return rang


def data_without_change(years: int, seed: int) -> dict[str, list[float]]:
    """Of each year: whether the data rang."""
    return {"alarm": [float(any(data_year(Change("none"), seed + number))) for number in range(years)]}


def data_with_change(change: Change, years: int, seed: int) -> dict[str, list[float]]:
    """Of each year: whether the change rang within one and five runs."""
    rang = [data_year(change, seed + number, PLANTED, PLANTED + 5) for number in range(years)]
    return {f"within {runs}": [float(any(own[:runs])) for own in rang] for runs in (1, 5)}
