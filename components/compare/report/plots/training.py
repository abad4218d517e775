"""Learning curves."""

import numpy as np
from matplotlib.figure import Figure

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.trained_model import Epoch, TrainingRecord
from components.compare.inputs import Inputs
from components.compare.report import formats
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.look import FAINT, LOOKS, MUTED


def learning_curves(findings: Findings, inputs: Inputs) -> Drawing:
    """Validation ROC AUC and losses during training; seeds after the first of a regime are drawn thinly."""
    figure = Figure(figsize=(1 + 2.8 * len(inputs.regimes), 4.8))
    grid = figure.subplots(2, len(inputs.regimes), sharey="row", sharex="col", squeeze=False)
    words = []
    for column, (name, models) in enumerate(inputs.regimes.items()):
        first, *others = (model.record["training"] for model in models)
        for training in others:
            _further_history(grid[:, column], training["history"], name)
        best = _first_history(grid[:, column], first, name)
        grid[0, column].set_title(REGIME_TITLES[name])
        auc = formats.decimal(best["validation_auc"])
        words.append(
            f"{REGIME_TITLES[name]}: validation AUC {auc} where it was kept, after {formats.duration(best['seconds'])}"
        )
    grid[0, 0].set_ylabel("Validation AUC")
    grid[1, 0].set_ylabel("Loss")
    grid[1, -1].legend(loc="upper right", handlelength=2.5)
    figure.supxlabel("Seconds of training", fontsize=10)
    return Drawing(
        figure,
        "Learning curves",
        "The marker is the epoch whose weights were kept; the grey area is the warm-up of the head. Where only the "
        "head is trained, each point is its solution for one penalty and choice of feature maps. Each column has its "
        "own time scale. Where validation loss rises while training loss falls, the model overfits."
        + (" Thin lines are further seeds." if len(findings["run"]["seeds"]) > 1 else ""),
        sentence(words),
    )


def _first_history(column: np.ndarray, training: TrainingRecord, name: str) -> Epoch:
    """Draws one training into the two panels of `column`.

    Returns:
        The history's entry of the best epoch.
    """
    history, look = training["history"], LOOKS[name]
    best = best_epoch(training)
    seconds = [entry["seconds"] for entry in history]
    auc, loss = column
    auc.plot(seconds, _aucs(history), color=look.colour, marker=".", linestyle="-")
    auc.plot([best["seconds"]], [best["validation_auc"]], color=look.colour, marker=look.marker, markersize=10)
    loss.plot(seconds, _losses(history), color=look.colour, marker=".", label="validation")
    training_losses = np.array([entry["train_loss"] for entry in history], dtype=float)
    loss.plot(seconds, training_losses, color=MUTED, linestyle="--", label="training")
    warm_up = [entry["seconds"] for entry in history if entry["phase"] == "head warm-up"]
    for axes in column:
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=5)
        if warm_up:
            axes.axvspan(0, max(warm_up), color=FAINT, alpha=0.35, linewidth=0)
    if warm_up:
        auc.text(0, 0.97, " warm-up", transform=auc.get_xaxis_transform(), fontsize=8, color=MUTED, va="top")
    return best


def _further_history(column: np.ndarray, history: list[Epoch], name: str) -> None:
    """Draws the validation curves of a further seed."""
    seconds = [entry["seconds"] for entry in history]
    for axes, values in zip(column, (_aucs(history), _losses(history)), strict=True):
        axes.plot(seconds, values, color=LOOKS[name].colour, linewidth=0.8, alpha=0.7)


def best_epoch(training: TrainingRecord) -> Epoch:
    """The history's entry of the epoch whose weights were kept; epochs are counted in the training phase."""
    history = training["history"]
    main = [entry for entry in history if entry["phase"] == "training"] or history
    return next((entry for entry in main if entry["epoch"] == training["best_epoch"]), main[-1])


def _aucs(history: list[Epoch]) -> np.ndarray:
    """Validation ROC AUC of each epoch, float64; NaN where it is unknown, which leaves a gap in the curve."""
    return np.array([entry["validation_auc"] for entry in history], dtype=float)


def _losses(history: list[Epoch]) -> np.ndarray:
    """Validation loss of each epoch, float64; NaN where it is unknown."""
    return np.array([entry["validation_loss"] for entry in history], dtype=float)
