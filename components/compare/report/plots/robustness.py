"""ROC AUC on changed test images."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import RegimeResult
from components.compare.report import formats
from components.compare.report.plots.marks import legend_above, sentence
from components.compare.report.plots.picture import Drawing
from components.look import FAINT, LOOKS

NORMAL_95 = 1.96
"""Standard errors from the middle to the end of a 95% interval."""


def robustness(findings: Findings) -> Drawing | None:
    """ROC AUC when the test images are changed in ways that another X-ray machine might change them."""
    found = {name: regime for name, regime in with_baseline(findings).items() if regime["robustness"]}
    regimes = {name: regime["robustness"] for name, regime in found.items()}
    if not regimes:
        return None
    changes = list(dict.fromkeys(change for values in regimes.values() for change in values))
    figure = Figure(figsize=(10, 1.4 + 0.5 * len(changes)))
    axes = figure.subplots()
    for place, (name, values) in enumerate(regimes.items()):
        errors = found[name].get("robustness_errors", {})
        _marks(axes, name, values, errors, changes, shift=0.16 * (place - (len(regimes) - 1) / 2))
    for row in range(1, len(changes), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=FAINT, alpha=0.35, linewidth=0)
    axes.set_yticks(range(len(changes)), changes)
    axes.set_ylim(len(changes) - 0.5, -0.5)
    axes.set_xlabel("ROC AUC on the changed test images")
    legend_above(figure, list(regimes))
    words = [
        f"{REGIME_TITLES[name]}: " + ", ".join(f"{change} {formats.decimal(value)}" for change, value in values.items())
        for name, values in regimes.items()
    ]
    return Drawing(
        figure,
        "Robustness to changed images",
        f"{_images(found)} brightened, darkened, shifted and zoomed, as another X-ray machine might produce them. "
        "Thin vertical lines repeat “unchanged”: the further a marker lies to the left of its line, the more the "
        "regime depends on the appearance of the images. Horizontal lines are 95% intervals of the difference.",
        sentence(words),
    )


def _images(regimes: Mapping[str, RegimeResult]) -> str:
    counts = {count for regime in regimes.values() if (count := regime.get("robustness_images"))}
    return f"{counts.pop():,} of the test images" if len(counts) == 1 else "Test images"


def _marks(
    axes: Axes,
    name: str,
    values: Mapping[str, float | None],
    errors: Mapping[str, float | None],
    changes: list[str],
    shift: float,
) -> None:
    """Draws the marks of one regime with intervals, and a line at its ROC AUC on unchanged images."""
    known = [(row + shift, value) for row, change in enumerate(changes) if (value := values.get(change)) is not None]
    look = LOOKS[name]
    places, aucs = [row for row, _ in known], [value for _, value in known]
    axes.plot(aucs, places, color=look.colour, marker=look.marker, linestyle="", markersize=7)
    for row, change in enumerate(changes):
        middle, half = values.get(change), NORMAL_95 * (errors.get(change) or 0.0)
        if middle is not None and half:
            ends = middle - half, min(middle + half, 1.0)
            axes.hlines(row + shift, *ends, color=look.colour, linewidth=1.2, alpha=0.7)
    unchanged = values.get("unchanged")
    if unchanged is not None:
        axes.axvline(unchanged, color=look.colour, linestyle=look.line, linewidth=0.9, alpha=0.6, zorder=0)
