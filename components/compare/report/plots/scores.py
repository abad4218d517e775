"""The distribution of the scores by class, on the validation images beside the test images."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings
from components.artifacts.evaluation import logits
from components.artifacts.names import REGIME_TITLES
from components.compare.inputs import Inputs
from components.compare.report import formats
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.look import INK, LOOKS, MUTED

LIMIT = 10.0
"""Scores whose logit is farther from 0 are drawn at the edge."""

_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def score_distributions(findings: Findings, inputs: Inputs) -> Drawing | None:
    """Cumulative distributions of the scores of each class: dashed on validation, solid on test; and the thresholds."""
    found = {name: regime for name, regime in findings["regimes"].items() if "shift" in regime}
    if not found:
        return None
    figure = Figure(figsize=(1.0 + 2.5 * len(found), 4.6))
    grid = figure.subplots(2, len(found), sharex=True, sharey=True, squeeze=False)
    words = []
    for column, (name, regime) in enumerate(found.items()):
        for label, title in enumerate(("normal", "pneumonia")):
            distance = formats.decimal(regime["shift"]["kolmogorov_smirnov"][title])
            _panel(grid[label, column], inputs, name, label)
            head = f"{REGIME_TITLES[name]}\n" if label == 0 else ""
            grid[label, column].set_title(f"{head}{title}, distance {distance}")
            words.append(f"{REGIME_TITLES[name]}, {title}: distance {distance}")
    ticks = [float(logits(np.array(tick))) for tick in _TICKS]
    for axes in grid[-1]:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in _TICKS], rotation=45)
        axes.set_xlim(-LIMIT, LIMIT)
    for axes in grid[:, 0]:
        axes.set_ylabel("Share of images")
    figure.supxlabel("Score (logit scale)", fontsize=10)
    return Drawing(
        figure,
        "Scores on the validation and on the test images",
        "Each line is the share of images with at most this score: dashed and grey on validation, solid on test, all "
        "seeds together. Vertical lines: thresholds, chosen on validation. Where the lines lie apart, the images "
        "differ, "
        "and the threshold divides them differently. Distance (Kolmogorov-Smirnov): the largest vertical gap, 0 for "
        "equal "
        "distributions, 1 for disjoint ones; samples of this size differ by chance too.",
        sentence(words),
    )


def _panel(axes: Axes, inputs: Inputs, name: str, label: int) -> None:
    """Draws both distributions of one class, and the threshold of every seed."""
    models = inputs.regimes[name]
    for labels, scores, colour, line in (
        (inputs.validation_labels, [model.validation_scores for model in models], MUTED, "--"),
        (inputs.labels, [model.scores for model in models], LOOKS[name].colour, "-"),
    ):
        x = np.clip(logits(np.sort(np.concatenate([own[labels == label] for own in scores]))), -LIMIT, LIMIT)
        axes.step(x, np.arange(1, len(x) + 1) / len(x), where="post", color=colour, linestyle=line, linewidth=1.6)
    for model in models:
        axes.axvline(float(logits(np.array(model.threshold))), color=INK, linewidth=0.8, alpha=0.7)
