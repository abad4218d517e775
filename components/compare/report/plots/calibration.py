"""Reliability diagrams: the share of pneumonia against the score, before and after calibration."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import FLOOR, REGIME_TITLES
from components.artifacts.regime_result import ReliabilityBin
from components.compare.report import formats
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.look import LOOKS, MUTED


def calibration(findings: Findings) -> Drawing:
    """The share of pneumonia against the score, before and after Platt scaling, a panel per regime."""
    regimes = with_baseline(findings)
    figure = Figure(figsize=(0.6 + 2.35 * len(regimes), 3.5))
    words = []
    grid = figure.subplots(1, len(regimes), sharey=True, squeeze=False)[0]
    for axes, (name, regime) in zip(grid, regimes.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        fit, look = regime["calibration"], LOOKS[name]
        _reliability(axes, fit["before"]["reliability"], MUTED, "--", "o", "white")
        _reliability(axes, fit["after"]["reliability"], look.colour, "-", look.marker, look.colour)
        before, after = formats.decimal(fit["before"]["ece"]["value"]), formats.decimal(fit["after"]["ece"]["value"])
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), title=f"{_wrapped(name)}\nerror {before} → {after}")
        axes.set_box_aspect(1)
        words.append(f"{REGIME_TITLES[name]}: calibration error {before} before and {after} after Platt scaling")
    grid[0].set_ylabel("Share with pneumonia")
    figure.supxlabel("Score (probability of pneumonia)", fontsize=10)
    return Drawing(
        figure,
        "Calibration of the scores",
        "On the dotted line, eight in ten of the images with a score of 0.8 show pneumonia; below it the scores are "
        "too high, above it too low. Hollow and dashed: uncalibrated; filled: after Platt scaling, fitted on the "
        "validation images. Larger markers: more images. Thin bars: 95% intervals of the share, as if every image were "
        "of another patient. Error: the mean distance from the line.",
        sentence(words),
    )


def _reliability(axes: Axes, points: list[ReliabilityBin], colour: str, line: str, marker: str, face: str) -> None:
    """Draws one line of a reliability diagram with intervals; the area of a marker grows with its images."""
    x = np.array([point["score"] for point in points])
    y = np.array([point["pneumonia"] for point in points])
    images = np.array([point["images"] for point in points])
    low, high = np.array([point["pneumonia_ci95"] for point in points]).T
    axes.vlines(x, low, high, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(x, y, color=colour, linestyle=line, linewidth=1.2)
    size = 10 + 90 * np.sqrt(images / images.sum())
    axes.scatter(x, y, size, facecolor=face, edgecolor=colour, marker=marker, zorder=3)


def _wrapped(name: str) -> str:
    """A regime's title for a narrow panel."""
    return REGIME_TITLES[name].replace(" (", "\n(") if name == FLOOR else REGIME_TITLES[name]
