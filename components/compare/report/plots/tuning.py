"""ROC AUC on validation by what was searched: the learning rate, and the number of trainable layers."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import Metric
from components.artifacts.tuning_result import Sensitivity
from components.compare.report.plots.marks import interval, legend_above, sentence
from components.compare.report.plots.picture import Drawing
from components.compare.report.table import metric_cell
from components.compare.report.tuning import regimes
from components.look import LOOKS

_APART = 0.012
"""Distance between the marks of two regimes, as a share of the axis."""


def learning_rate(findings: Findings) -> Drawing | None:
    """ROC AUC on validation by multiple of the learning rate, all regimes; a head that is solved has a line."""
    searches = regimes(findings)
    curves = {name: own["learning_rate"] for name, own in searches.items() if "learning_rate" in own}
    values = _values(curves)
    if len(values) < 2:
        return None
    figure = Figure(figsize=(8, 4.4))
    axes = figure.subplots()
    axes.set_xscale("log")
    margin = (values[-1] / values[0]) ** 0.08
    axes.set_xlim(values[0] / margin, values[-1] * margin)
    shift = (values[-1] / values[0]) ** _APART
    for place, (name, own) in enumerate(curves.items()):
        by = shift ** (2 * place - len(curves) + 1)
        _curve(axes, name, [own_point["value"] * by for own_point in own], own)
    solved = {name: own["roc_auc"] for name, own in searches.items() if "strength" in own}
    for name, metric in solved.items():
        _line(axes, name, metric)
    _ticks(axes, values, "×\N{THIN SPACE}")
    axes.set_xlabel("Multiple of the learning rate")
    legend_above(figure, [name for name in searches if name in curves or name in solved])
    solved_words = [
        f"{REGIME_TITLES[name]}, without a learning rate, {metric_cell(own)}" for name, own in solved.items()
    ]
    return Drawing(
        figure,
        "Sensitivity to the learning rate",
        "Means over the seeds, with 95% intervals; the marks of a multiple are drawn beside each other. "
        "The flatter a line, the less the regime depends on its learning rate."
        + (" A head that is solved has no learning rate: a line, and its interval as a band." if solved else ""),
        sentence([*_words(curves, "× "), *solved_words]),
    )


def trainable_layers(findings: Findings) -> Drawing | None:
    """ROC AUC on validation by number of trainable layers."""
    curves = {name: own["trainable_layers"] for name, own in regimes(findings).items() if "trainable_layers" in own}
    values = _values(curves)
    if len(values) < 2:
        return None
    figure = Figure(figsize=(5.4, 3.6))
    axes = figure.subplots()
    for name, own in curves.items():
        _curve(axes, name, [point["value"] for point in own], own)
    _ticks(axes, values, "")
    axes.margins(x=0.08)
    axes.set_xlabel("Trainable layers of the backbone")
    return Drawing(
        figure,
        "Number of trainable layers",
        "Partial fine-tuning: means over the seeds, each with the learning rate that it kept, with 95% intervals.",
        sentence(_words(curves, "")),
    )


def _values(curves: Mapping[str, Sequence[Sensitivity]]) -> list[float]:
    return sorted({point["value"] for own in curves.values() for point in own})


def _curve(axes: Axes, name: str, places: Sequence[float], points: Sequence[Sensitivity]) -> None:
    """Draws the marks of a regime with their intervals at the given places, and a line through them."""
    known = [(place, metric) for place, point in zip(places, points, strict=True) if (metric := point["roc_auc"])]
    look = LOOKS[name]
    xs, ys = [place for place, _ in known], [metric["value"] for _, metric in known]
    axes.plot(xs, ys, color=look.colour, linestyle=look.line, linewidth=1.4, zorder=1)
    for place, metric in known:
        interval(axes, place, metric, name, vertical=True, size=7)


def _line(axes: Axes, name: str, metric: Metric) -> None:
    """Draws what is the same with every value, and its interval as a band."""
    look, (low, high) = LOOKS[name], metric["ci95"]
    axes.axhline(metric["value"], color=look.colour, linestyle=look.line, linewidth=1.4, zorder=0)
    axes.plot(
        [1], [metric["value"]], look.marker, color=look.colour, transform=axes.get_yaxis_transform(), clip_on=False
    )
    axes.axhspan(low, high, color=look.colour, alpha=0.12, linewidth=0, zorder=0)


def _ticks(axes: Axes, values: Sequence[float], before: str) -> None:
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{before}{value:g}"))
    axes.set_ylabel("ROC AUC on validation")
    axes.grid(axis="y")


def _words(curves: Mapping[str, Sequence[Sensitivity]], before: str) -> list[str]:
    return [
        f"{REGIME_TITLES[name]}: "
        + ", ".join(
            f"{before}{point['value']:g} {metric_cell(point['roc_auc']) if point['roc_auc'] else 'diverged'}"
            for point in own
        )
        for name, own in curves.items()
    ]
