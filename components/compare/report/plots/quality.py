"""Plots of quality: against training time, every metric, and on subgroups."""

from matplotlib.figure import Figure

from components.artifacts.comparison import FIRST_METRICS, Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import Metric, RegimeResult
from components.compare.report import formats
from components.compare.report.plots import style
from components.compare.report.plots.marks import in_words, interval, legend_above, regime_rows, sentence
from components.compare.report.plots.picture import Drawing
from components.compare.report.titles import ALL_IMAGES, MAIN_METRICS, METRIC_TITLES, subgroup_title


def quality_against_time(findings: Findings) -> Drawing:
    """Accuracy and ROC AUC against training time: the answer at a glance."""
    regimes = with_baseline(findings)
    metrics = tuple(reversed(FIRST_METRICS))
    figure = Figure(figsize=(5.4, 4.9))
    seconds = {name: regime["cost"]["train_seconds"] for name, regime in regimes.items()}
    panels = figure.subplots(2, 1, sharex=True)
    for axes, metric in zip(panels, metrics, strict=True):
        style.time_axis(axes, list(seconds.values()))
        for name, regime in regimes.items():
            interval(axes, seconds[name], regime["metrics"][metric], name, vertical=True)
        axes.set_ylabel(f"{METRIC_TITLES[metric]} on test")
        axes.grid(axis="y")
    legend_above(figure, list(regimes), columns=2)
    panels[-1].set_xlabel("Training time")
    return Drawing(
        figure,
        "Quality against training time",
        "Higher is better, further left is cheaper. Bars are 95% intervals of a regime by itself; whether two "
        "regimes differ is tested pair by pair, under “Evidence”.",
        in_words(findings, metrics, with_time=True),
    )


def metrics(findings: Findings) -> Drawing:
    """Each metric with its interval, one regime per row."""
    regimes = with_baseline(findings)
    figure = Figure(figsize=(10, 2.2 + 0.55 * len(regimes)))
    grid = figure.subplots(2, 3, sharey=True)
    for axes, metric in zip(grid.flat, MAIN_METRICS, strict=True):
        for row, (name, regime) in enumerate(regimes.items()):
            interval(axes, row, regime["metrics"][metric], name)
        axes.set_title(METRIC_TITLES[metric])
        regime_rows(axes, list(regimes))
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=5)
    figure.supxlabel("Value on the test images, with 95% interval", fontsize=10)
    return Drawing(
        figure,
        "Every metric with its uncertainty",
        "Each bar is a 95% interval: the range of values that are plausible for other patients from the same "
        "population. Scales differ from panel to panel.",
        in_words(findings, MAIN_METRICS),
    )


def subgroups(findings: Findings) -> Drawing | None:
    """ROC AUC and recall on parts of the test images, beside all of them."""
    regimes = with_baseline(findings)
    names = list(next(iter(regimes.values()))["subgroups"])
    if not names:
        return None
    rows = [ALL_IMAGES, *names]
    figure = Figure(figsize=(10, 1.6 + 0.75 * len(rows)))
    for axes, metric in zip(figure.subplots(1, 2, sharey=True), ("roc_auc", "recall"), strict=True):
        for place, (name, regime) in enumerate(regimes.items()):
            for row, group in enumerate(rows):
                known = _metrics_of(regime, group)
                if metric in known:
                    interval(axes, row + 0.15 * (place - (len(regimes) - 1) / 2), known[metric], name, size=6)
        axes.set_yticks(range(len(rows)), [ALL_IMAGES, *(subgroup_title(group) for group in names)])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"{METRIC_TITLES[metric]}, with 95% interval")
        axes.grid(axis="x")
    legend_above(figure, list(regimes))
    return Drawing(
        figure,
        "Parts of the test images",
        "The smaller the part, the wider the interval. Each kind of pneumonia is compared with all normal images.",
        sentence([f"{REGIME_TITLES[name]}: ROC AUC {_subgroup_words(regime)}" for name, regime in regimes.items()]),
    )


def _metrics_of(regime: RegimeResult, group: str) -> dict[str, Metric]:
    return regime["metrics"] if group == ALL_IMAGES else regime["subgroups"][group]["metrics"]


def _subgroup_words(regime: RegimeResult) -> str:
    return ", ".join(
        f"{subgroup_title(group)} {formats.decimal(found['metrics']['roc_auc']['value'])}"
        for group, found in regime["subgroups"].items()
        if "roc_auc" in found["metrics"]
    )
