"""Plots of decisions: ROC and precision-recall curves, and confusion matrices."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import RegimeResult
from components.compare.inputs import Inputs, Model
from components.compare.report import formats
from components.compare.report.plots import style
from components.compare.report.plots.marks import in_words, sentence
from components.compare.report.plots.picture import Drawing
from components.look import FAINT, LOOKS

ZOOM_FROM = 0.95
"""Above this ROC AUC of all regimes only the corner of the curves is shown."""


def roc_and_pr(findings: Findings, inputs: Inputs) -> Drawing:
    """ROC and precision-recall curves of all regimes, with the chosen threshold of each."""
    figure = Figure(figsize=(10, 4.8))
    roc, pr = figure.subplots(1, 2)
    results = with_baseline(findings)
    for name, models in inputs.groups.items():
        _curves_of(roc, pr, name, models, results[name])
    roc.set(xlabel="False positive rate (1 − specificity)", ylabel="Recall (sensitivity)", title="ROC curve (area)")
    pr.set(xlabel="Recall (sensitivity)", ylabel="Precision", title="Precision-recall curve (average precision)")
    zoomed = all(regime["metrics"]["roc_auc"]["value"] > ZOOM_FROM for regime in findings["regimes"].values())
    _frame(roc, pr, zoomed)
    return Drawing(
        figure,
        "Every possible threshold",
        "A curve shows the trade-off of a regime: fewer missed pneumonias against more false alarms. The marker on it "
        "is the threshold chosen on the validation images."
        + (" The axes show only the corner in which the curves differ." if zoomed else "")
        + (" Fainter curves are further seeds, the marker is their mean." if len(findings["run"]["seeds"]) > 1 else ""),
        in_words(findings, ("recall", "specificity", "precision", "roc_auc")),
    )


def _curves_of(roc: Axes, pr: Axes, name: str, models: list[Model], regime: RegimeResult) -> None:
    """Draws the curves of one regime, and its threshold."""
    look = LOOKS[name]
    for number, model in enumerate(models):
        curves = model.record["curves"]
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "alpha": 0.45 if number else 1}
        # A label that begins with an underscore is not in the legend.
        area, precision = ("_", "_") if number else (_label(name, regime, "roc_auc"), _label(name, regime, "pr_auc"))
        roc.plot(curves["roc"]["fpr"], curves["roc"]["tpr"], label=area, **line)
        pr.plot(curves["pr"]["recall"], curves["pr"]["precision"], label=precision, **line)
    values = {metric: entry["value"] for metric, entry in regime["metrics"].items()}
    point: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": 9}
    point |= {"markeredgecolor": "white", "zorder": 5}
    roc.plot([1 - values["specificity"]], [values["recall"]], **point)
    pr.plot([values["recall"]], [values["precision"]], **point)


def _label(name: str, regime: RegimeResult, metric: str) -> str:
    return f"{REGIME_TITLES[name]}  {formats.decimal(regime['metrics'][metric]['value'])}"


def _frame(roc: Axes, pr: Axes, zoomed: bool) -> None:
    if zoomed:
        roc.set(xlim=(-0.005, 0.3), ylim=(0.7, 1.005))
        pr.set(xlim=(0.7, 1.005), ylim=(0.7, 1.005))
    else:
        roc.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=":")
        for axes in (roc, pr):
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for axes in (roc, pr):
        axes.set_box_aspect(1)
    roc.legend(loc="lower right", handlelength=3)
    pr.legend(loc="lower left", handlelength=3)


def confusion(findings: Findings) -> Drawing:
    """Confusion matrix of each regime."""
    regimes = findings["regimes"]
    figure = Figure(figsize=(1.2 + 2.5 * len(regimes), 3.1))
    panels = figure.subplots(1, len(regimes), squeeze=False)[0]
    words = []
    for column, (axes, (name, regime)) in enumerate(zip(panels, regimes.items(), strict=True)):
        cells = regime["confusion"]
        style.heat(axes, np.array([[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]]))
        axes.set_title(REGIME_TITLES[name])
        axes.set_xticks([0, 1], ["normal", "pneumonia"])
        axes.set_yticks([0, 1], ["normal", "pneumonia"] if column == 0 else ["", ""])
        axes.set_xlabel("Predicted")
        axes.set_ylabel("Label" if column == 0 else "")
        words.append(
            f"{REGIME_TITLES[name]}: {cells['fn']:,} pneumonias missed, {cells['fp']:,} false alarms, "
            f"{cells['tp']:,} pneumonias and {cells['tn']:,} normals correct"
        )
    return Drawing(
        figure,
        "Confusion matrices",
        "Lower left of each square: pneumonias missed. Upper right: false alarms. Percentages are of the row.",
        sentence(words),
    )
