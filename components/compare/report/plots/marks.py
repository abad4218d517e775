"""Elements that several plots share: a regime's mark with its interval, the legend, the numbers in words."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import Metric
from components.compare.report import formats
from components.compare.report.plots import style
from components.compare.report.table import metric_cell
from components.compare.report.titles import METRIC_TITLES
from components.look import LOOKS


def interval(axes: Axes, position: float, entry: Metric, name: str, vertical: bool = False, size: int = 8) -> None:
    """Draws a regime's marker with its 95% interval as a bar.

    Args:
        axes: to draw into.
        position: on the axis that is not the metric's.
        entry: the metric.
        name: of the regime.
        vertical: whether the metric is on the vertical axis.
        size: of the marker (points).
    """
    value, (low, high) = entry["value"], entry["ci95"]
    look = LOOKS[name]
    bar = [[value - low], [high - value]]
    options: dict[str, Any] = {
        "fmt": look.marker,
        "color": look.colour,
        "markersize": size,
        "capsize": size / 2,
        "linewidth": 1.6,
        "markeredgecolor": "white" if look.marker != "X" else look.colour,
    }
    if vertical:
        axes.errorbar([position], [value], yerr=bar, **options)
    else:
        axes.errorbar([value], [position], xerr=bar, **options)


def legend_above(figure: Figure, names: Sequence[str], columns: int = 5) -> None:
    """Draws one legend for all panels, above them."""
    style.legend_above(figure, list(names), [REGIME_TITLES[name] for name in names], columns)


def regime_rows(axes: Axes, names: Sequence[str]) -> None:
    """Makes the vertical axis one row per regime, the first on top."""
    axes.set_yticks(range(len(names)), [REGIME_TITLES[name] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def in_words(findings: Findings, metrics: Sequence[str], with_time: bool = False) -> str:
    """The metrics of every regime in words, and its training time if asked for."""
    parts = []
    for name, regime in with_baseline(findings).items():
        values = [f"{METRIC_TITLES[metric]} {metric_cell(regime['metrics'][metric])}" for metric in metrics]
        if with_time:
            values.append(f"trained in {formats.duration(regime['cost']['train_seconds'])}")
        parts.append(f"{REGIME_TITLES[name]}: {', '.join(values)}")
    return sentence(parts)


def sentence(parts: Sequence[str]) -> str:
    """The parts as one sentence."""
    return "; ".join(parts) + "."
