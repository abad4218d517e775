"""The plots of the report, drawn from the numbers of a comparison, a module per kind; `style` defines their look."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from components.artifacts.comparison import Findings
from components.compare.inputs import Inputs
from components.compare.report.plots import (
    calibration,
    clinical,
    cost,
    curves,
    differences,
    label_budgets,
    quality,
    robustness,
    scores,
    training,
    tuning,
)
from components.compare.report.plots.picture import Drawing, Picture, draw_one

FROM_FINDINGS: dict[str, Callable[[Findings], Drawing | None]] = {
    "quality_against_time": quality.quality_against_time,
    "label_budgets": label_budgets.label_budgets,
    "label_budgets_external": label_budgets.label_budgets_external,
    "differences": differences.differences,
    "metrics": quality.metrics,
    "confusion": curves.confusion,
    "calibration": calibration.calibration,
    "decision_curves": clinical.decision_curves,
    "risks": clinical.risks,
    "subgroups": quality.subgroups,
    "robustness": robustness.robustness,
    "pareto": cost.pareto,
    "cost": cost.cost,
    "tuned_learning_rate": tuning.learning_rate,
    "tuned_trainable_layers": tuning.trainable_layers,
}
"""Plots of the numbers alone, by the name of their file."""

FROM_INPUTS: dict[str, Callable[[Findings, Inputs], Drawing | None]] = {
    "roc_and_pr": curves.roc_and_pr,
    "learning_curves": training.learning_curves,
    "score_distributions": scores.score_distributions,
}
"""Plots that also need the curves and histories of the evaluations."""


def draw(folder: Path, findings: Findings, inputs: Inputs) -> dict[str, Picture]:
    """Draws every plot that the data allow into `folder` as PNG.

    Args:
        folder: gets the files.
        findings: numbers of the comparison.
        inputs: the evaluations, for curves and histories.

    Returns:
        The pictures by name: the file names without `.png`.
    """
    drawn = {name: draw_one(folder, name, partial(plot, findings)) for name, plot in FROM_FINDINGS.items()}
    drawn |= {name: draw_one(folder, name, partial(plot, findings, inputs)) for name, plot in FROM_INPUTS.items()}
    return {name: picture for name, picture in drawn.items() if picture}
