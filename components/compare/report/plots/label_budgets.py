"""ROC AUC by number of labelled patients, on the test images and on the external test set."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from components.artifacts.comparison import Findings
from components.artifacts.label_budget_results import LabelBudgetResults, OnTestSet, RegimeOnBudgets
from components.artifacts.names import REGIME_TITLES
from components.compare.report import formats
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.compare.report.table import metric_cell
from components.look import LOOKS

WIDTH, HEIGHT = 10.0, 5.2

DODGE = 0.008
"""Distance of the marks of two regimes with the same number of patients, as a share of the axis."""

LABEL = 0.052
"""Least distance of two labels, as a share of the axis."""


def label_budgets(findings: Findings) -> Drawing | None:
    """On the test images."""
    found = findings.get("label_budgets")
    return _drawing(found, found, "ROC AUC on the test images by number of labelled patients") if found else None


def label_budgets_external(findings: Findings) -> Drawing | None:
    """On the external test set."""
    found = findings.get("label_budgets")
    if not found or "external" not in found:
        return None
    return _drawing(found, found["external"], "ROC AUC on the external test set by number of labelled patients")


def _drawing(found: LabelBudgetResults, on: OnTestSet, title: str) -> Drawing | None:
    numbers = sorted({point["patients"] for regime in on["regimes"].values() for point in regime["points"]})
    if len(numbers) < 2:
        return None
    figure = Figure(figsize=(WIDTH, HEIGHT))
    axes = figure.subplots()
    _number_axis(axes, numbers, found["patients"])
    for place, (name, regime) in enumerate(on["regimes"].items()):
        shift = (numbers[-1] / numbers[0]) ** (DODGE * (place - (len(on["regimes"]) - 1) / 2))
        _regime(axes, name, regime, shift)
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.002))
    axes.set_ylabel("ROC AUC")
    axes.set_xlabel("Labelled patients for training and validation (logarithmic scale)")
    axes.grid(axis="y")
    _labels(axes, on, numbers[-1])
    without = [REGIME_TITLES[name] for name, regime in on["regimes"].items() if regime["curve"] is None]
    return Drawing(
        figure,
        title,
        "Markers are means over the trainings with a budget, with 95% intervals; they stand side by side where they "
        "belong to the same number. "
        + (
            "Lines are fitted learning curves a − b / nᶜ, shaded their pointwise 95% bands. "
            if len(without) < len(on["regimes"])
            else ""
        )
        + (f"Thin straight lines join the means where no curve fits: {', '.join(without)}. " if without else "")
        + "Overlapping intervals say nothing about a difference, which is tested on the same patients and draws.",
        sentence([f"{REGIME_TITLES[name]}: {_words(regime)}" for name, regime in on["regimes"].items()]),
    )


def _number_axis(axes: Axes, numbers: list[int], whole: int | None) -> None:
    """A logarithmic axis with a tick at every number of patients, labelled where there is room."""
    span = numbers[-1] / numbers[0]
    axes.set_xscale("log")
    axes.set_xlim(numbers[0] / span**0.05, numbers[-1] * span**0.34)
    kept = [numbers[-1]]
    for number in reversed(numbers[:-1]):
        if kept[-1] / number >= span**0.09:
            kept.append(number)
    axes.spines["bottom"].set_bounds(axes.get_xlim()[0], numbers[-1])
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(
        [f"{'all: ' if number == whole else ''}{formats.count(number)}" if number in kept else "" for number in numbers]
    )


def _regime(axes: Axes, name: str, regime: RegimeOnBudgets, shift: float) -> None:
    look = LOOKS[name]
    patients = np.array([point["patients"] for point in regime["points"]])
    values = np.array([point["roc_auc"]["value"] for point in regime["points"]])
    low, high = np.array([point["roc_auc"]["ci95"] for point in regime["points"]]).T
    axes.errorbar(
        patients * shift,
        values,
        yerr=[values - low, high - values],
        fmt=look.marker,
        color=look.colour,
        markersize=7,
        capsize=3,
        linewidth=1.1,
        markeredgecolor="white",
        zorder=3,
    )
    if regime["curve"] is None:
        axes.plot(patients * shift, values, color=look.colour, linestyle=look.line, linewidth=0.9)
        return
    points = regime["curve"]["points"]
    along = [point["patients"] for point in points]
    below, above = np.array([point["ci95"] for point in points]).T
    axes.fill_between(along, below, above, color=look.colour, alpha=0.13, linewidth=0)
    axes.plot(along, [point["value"] for point in points], color=look.colour, linestyle=look.line)


def _labels(axes: Axes, on: OnTestSet, most: int) -> None:
    """The name of each regime at the end of its line, apart from each other."""
    ends = {name: _end(regime) for name, regime in on["regimes"].items()}
    names = sorted(ends, key=lambda name: ends[name][1])
    low, high = axes.get_ylim()
    wanted = [(ends[name][1] - low) / (high - low) for name in names]
    right = axes.get_xlim()[1]
    for name, height in zip(names, _apart(wanted), strict=True):
        look = LOOKS[name]
        axes.annotate(
            REGIME_TITLES[name],
            xy=ends[name],
            xytext=(most * (right / most) ** 0.2, low + height * (high - low)),
            color=look.colour,
            fontweight="bold",
            fontsize=10,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": look.colour,
                "linewidth": 0.8,
                "shrinkA": 2,
                "shrinkB": 6,
                "relpos": (0, 0.5),
            },
        )


def _end(regime: RegimeOnBudgets) -> tuple[float, float]:
    last = regime["points"][-1]
    return last["patients"], regime["curve"]["points"][-1]["value"] if regime["curve"] else last["roc_auc"]["value"]


def _apart(wanted: list[float]) -> list[float]:
    """Heights at least `LABEL` apart and within the axis, close to the wanted ones, which ascend."""
    heights = list(wanted)
    for _ in range(100):
        for place, (below, above) in enumerate(pairwise(heights)):
            if above - below < LABEL:
                missing = (LABEL - (above - below)) / 2
                heights[place], heights[place + 1] = below - missing, above + missing
        # The uppermost names must not leave the axis.
        heights[-1] = min(heights[-1], 1 - LABEL / 2)
        heights[0] = max(heights[0], LABEL / 2)
    return heights


def _words(regime: RegimeOnBudgets) -> str:
    return ", ".join(
        f"{formats.count(point['patients'])} {metric_cell(point['roc_auc'])}" for point in regime["points"]
    )
