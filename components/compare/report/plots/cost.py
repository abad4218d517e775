"""Plots of cost: training time and memory, and the Pareto fronts of quality and cost."""

from collections.abc import Callable
from typing import Literal, NamedTuple, cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import RegimeResult
from components.compare.report import formats
from components.compare.report.failures import compared
from components.compare.report.plots import style
from components.compare.report.plots.marks import interval, legend_above, regime_rows, sentence
from components.compare.report.plots.picture import Drawing
from components.compare.report.titles import cost_axis
from components.look import LOOKS, MUTED


class Panel(NamedTuple):
    """One panel of the plot of costs."""

    cost: Literal["train_seconds", "peak_memory_mb", "peak_gpu_memory_mb"]
    title: str
    formatted: Callable[[float | None], str]


PANELS = (
    Panel("train_seconds", "Training time (s)", formats.duration),
    Panel("peak_memory_mb", "Peak memory of the process (MB)", formats.megabytes),
    Panel("peak_gpu_memory_mb", "Peak GPU memory (MB)", formats.megabytes),
)


def cost(findings: Findings) -> Drawing:
    """Training time and peak memory as bars."""
    regimes = findings["regimes"]
    panels = [one for one in PANELS if any(regime["cost"][one.cost] is not None for regime in regimes.values())]
    figure = Figure(figsize=(10, 1.2 + 0.5 * len(regimes)))
    for axes, panel in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        for row, (name, regime) in enumerate(regimes.items()):
            value, look = regime["cost"][panel.cost], LOOKS[name]
            axes.barh(row, value or 0, color=look.colour, hatch=look.hatch, edgecolor="white", height=0.62)
            axes.annotate(panel.formatted(value), (value or 0, row), (4, 0), textcoords="offset points", va="center")
        regime_rows(axes, list(regimes))
        axes.set_xlabel(panel.title)
        axes.margins(x=0.28)
        axes.locator_params(axis="x", nbins=4)
    words = [
        f"{REGIME_TITLES[name]}: "
        + ", ".join(f"{panel.title} {panel.formatted(regime['cost'][panel.cost])}" for panel in panels)
        for name, regime in regimes.items()
    ]
    return Drawing(
        figure,
        f"Cost of each {compared(findings)}regime",
        "Time from building the model to restoring its best weights; memory is the peak of the training process, "
        "libraries included.",
        sentence(words),
    )


def pareto(findings: Findings) -> Drawing | None:
    """ROC AUC against every cost, with a line through the Pareto front."""
    regimes, fronts = findings["regimes"], findings["pareto"]
    if len(regimes) < 2:
        return None
    columns = 2 if len(fronts) in (2, 4) else 3
    rows = -(-len(fronts) // columns)
    figure = Figure(figsize=(10, 0.6 + 2.7 * rows))
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(fronts) :]:
        axes.set_axis_off()
    for axes, (name, front) in zip(grid.flat, fronts.items(), strict=False):
        _front(axes, name, front, regimes)
    for axes in grid[:, 0]:
        axes.set_ylabel("ROC AUC on test")
    legend_above(figure, list(regimes))
    words = [
        f"{cost_axis(name)}: Pareto-optimal are {', '.join(REGIME_TITLES[regime] for regime in front)}"
        for name, front in fronts.items()
    ]
    return Drawing(
        figure,
        "Quality against every cost",
        f"The dotted line is the Pareto front: it joins the {compared(findings)}regimes that no other beats in both "
        "quality and this cost. "
        "Bars are 95% intervals; the order of regimes whose bars overlap is uncertain.",
        sentence(words),
    )


def _front(axes: Axes, name: str, front: list[str], regimes: dict[str, RegimeResult]) -> None:
    """Draws ROC AUC of all regimes against one cost, and its Pareto front."""
    costs = {regime: cast(dict[str, float], found["cost"])[name] for regime, found in regimes.items()}
    if name == "train_seconds":
        style.time_axis(axes, list(costs.values()))
    else:
        axes.set_xlim(0, 1.12 * max(costs.values()))
        axes.locator_params(axis="x", nbins=5)
    quality = [regimes[regime]["metrics"]["roc_auc"]["value"] for regime in front]
    at = [costs[regime] for regime in front]
    axes.step(at, quality, where="post", color=MUTED, linewidth=1, linestyle=":")
    for regime, found in regimes.items():
        interval(axes, costs[regime], found["metrics"]["roc_auc"], regime, vertical=True)
    axes.set_xlabel(cost_axis(name))
    axes.grid(axis="y")
