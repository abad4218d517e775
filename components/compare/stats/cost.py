"""What a regime costs: the price of training, the Pareto fronts of quality and cost, the time to a given quality."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import stats

from components.artifacts.differences import TimeRatio
from components.artifacts.regime_result import RegimeResult
from components.artifacts.trained_model import Epoch, TrainingRecord

LEVELS = (0.9, 0.95, 0.98, 0.99)
"""Validation ROC AUCs for which the time until they are first reached is recorded."""

CostName = Literal["train_seconds", "peak_memory_mb", "model_mb", "inference_ms_per_image", "training_price"]

COSTS: tuple[CostName, ...] = (
    "train_seconds",
    "peak_memory_mb",
    "model_mb",
    "inference_ms_per_image",
    "training_price",
)
"""Costs with a Pareto front."""


def training_price(training: TrainingRecord, gpu_hour_price: float, cpu_hour_price: float) -> float | None:
    """The price of a training.

    Args:
        training: content of `training.json`.
        gpu_hour_price: of an hour on the machine if it has a GPU; 0 for unknown.
        cpu_hour_price: of an hour on the machine if it has none; 0 for unknown.

    Returns:
        The price, in the currency of the hourly prices; None where the one that applies is unknown.
    """
    price = gpu_hour_price if training["hardware"] and training["hardware"]["gpu"] else cpu_hour_price
    return training["cost"]["train_seconds"] / 3600 * price if price else None


def time_ratios(seconds: Mapping[str, Sequence[float]]) -> list[TimeRatio]:
    """Compares the training times of every two regimes, by Welch's t test on their logarithms.

    Args:
        seconds: training times of the seeds of each regime.
    """
    found: list[TimeRatio] = []
    for a, b in combinations(seconds, 2):
        logs = [np.log(seconds[name]) for name in (a, b)]
        ratio = float(np.exp(logs[0].mean() - logs[1].mean()))
        ends = None
        if min(map(len, logs)) > 1 and max(map(np.ptp, logs)) > 0:
            interval = stats.ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
            ends = [float(np.exp(interval.low)), float(np.exp(interval.high))]
        found.append(
            {"a": a, "b": b, "ratio": ratio, "ci95": ends, "shown": bool(ends and not ends[0] <= 1 <= ends[1])}
        )
    return found


def time_to_auc(history: list[Epoch]) -> dict[str, float | None]:
    """Seconds of training until validation ROC AUC first reached each of `LEVELS`; None where it never did.

    Args:
        history: of `training.json`; an entry describes the end of its epoch.
    """
    return {
        f"{level:g}": next((entry["seconds"] for entry in history if (entry["validation_auc"] or 0) >= level), None)
        for level in LEVELS
    }


def pareto(regimes: Mapping[str, RegimeResult]) -> dict[str, list[str]]:
    """For each cost, the Pareto front: the regimes that no other beats in both this cost and ROC AUC.

    One regime beats another if it is at least as cheap and at least as good, and not equal in both.

    Args:
        regimes: of `results.json`.

    Returns:
        {cost: regimes, cheapest first}; costs that are unknown for a regime are left out.
    """
    found: dict[str, list[str]] = {}
    for cost in COSTS:
        points: dict[str, tuple[float, float]] = {}
        for name, regime in regimes.items():
            price = regime["cost"][cost]
            if price is not None:
                points[name] = price, -regime["metrics"]["roc_auc"]["value"]
        if len(points) == len(regimes):
            found[cost] = sorted((name for name in points if not _is_beaten(name, points)), key=points.__getitem__)
    return found


def _is_beaten(name: str, points: Mapping[str, tuple[float, float]]) -> bool:
    own = points[name]
    return any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in points.values())
