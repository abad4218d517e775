"""Plots of differences with their intervals: between regimes, and between two runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from components.artifacts.comparison import FIRST_METRICS, Findings, RunsFindings
from components.artifacts.differences import Difference
from components.artifacts.names import REGIME_TITLES
from components.compare import recommendation
from components.compare.report import failures, formats
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.compare.report.recommendation import verdict_text
from components.compare.report.titles import METRIC_TITLES, pair_title
from components.look import INK, MUTED


def differences(findings: Findings) -> Drawing | None:
    """Every paired difference in ROC AUC and accuracy with its interval, beside the line of no difference."""
    if not findings["comparisons"]:
        return None
    pairs = _by_metric(findings["comparisons"])
    titles = [pair_title(pair["a"], pair["b"]) for pair in pairs["roc_auc"]]
    return Drawing(
        _forest(titles, pairs),
        f"Every two {failures.compared(findings)}regimes on the same patients",
        "Right of the line the first of the two is higher, left of it the second. Bars are 95% intervals. A filled "
        "marker is a significant difference (before the correction for the number of pairs), a hollow one is not.",
        _in_words(titles, pairs["roc_auc"]),
    )


def between_runs(findings: RunsFindings) -> Drawing:
    """The difference between two runs in each regime."""
    first, second = (run["name"] for run in findings["runs"])
    pairs = _by_metric(findings["comparisons"])
    titles = [REGIME_TITLES[pair["a"]] for pair in pairs["roc_auc"]]
    return Drawing(
        _forest(titles, pairs),
        f"Each {failures.compared_of_runs(findings)}regime in both runs",
        f"Right of the line {first} is higher, left of it {second}. Bars are 95% intervals. A filled marker is a "
        "significant difference (before the correction for the number of regimes), a hollow one is not.",
        _in_words(titles, pairs["roc_auc"], (first, second)),
    )


def _by_metric(pairs: Sequence[Difference]) -> dict[str, list[Difference]]:
    return {metric: [pair for pair in pairs if pair["metric"] == metric] for metric in FIRST_METRICS}


def _forest(titles: Sequence[str], panels: Mapping[str, Sequence[Difference]]) -> Figure:
    """Differences with their intervals, one per row, a panel per metric; filled marks where a difference was shown."""
    figure = Figure(figsize=(10, 1.3 + 0.42 * len(titles)))
    for axes, (metric, pairs) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        axes.axvline(0, color=MUTED, linewidth=1.2)
        for row, pair in enumerate(pairs):
            low, high = pair["ci95"]
            bar = [[pair["difference"] - low], [high - pair["difference"]]]
            face = INK if recommendation.verdict(pair).higher else "white"
            options: dict[str, Any] = {"fmt": "o", "color": INK, "markersize": 7, "capsize": 4}
            axes.errorbar([pair["difference"]], [row], xerr=bar, linewidth=1.5, markerfacecolor=face, **options)
        axes.set_yticks(range(len(titles)), titles)
        axes.set_ylim(len(titles) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(f"Difference in {METRIC_TITLES[metric] if metric == 'roc_auc' else 'accuracy'}")
    return figure


def _in_words(titles: Sequence[str], pairs: Sequence[Difference], names: tuple[str, str] | None = None) -> str:
    return sentence(
        [
            f"{title}: {formats.signed(pair['difference'])} in ROC AUC ({formats.signed_span(pair['ci95'])}), "
            f"{verdict_text(pair, names)}"
            for title, pair in zip(titles, pairs, strict=True)
        ]
    )
