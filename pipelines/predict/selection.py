"""Selects a trained model of a run, by its ROC AUC on validation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from components.artifacts.evaluation import Evaluation, calibrated
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from pipelines.predict.messages import note

Loaded = TypeVar("Loaded")

_NEEDED = {"regime", "seed", "threshold", "calibration", "metrics", "dataset", "training"}
"""What this module and `serving` read of an evaluation."""


@dataclass(frozen=True)
class SelectedModel:
    """A trained model and its evaluation, which gives the threshold and the calibration.

    Attributes:
        model: the trained model.
        evaluation: its evaluation.
    """

    model: TrainedModel
    evaluation: Evaluation

    @property
    def regime(self) -> str:
        """The regime of its training."""
        return self.evaluation.results["regime"]

    @property
    def seed(self) -> int:
        """The seed of its training."""
        return self.evaluation.results["seed"]

    @property
    def image_size(self) -> int:
        """Height and width of its input images (px)."""
        return self.evaluation.results["dataset"]["image_size"]

    @property
    def validation_auc(self) -> float:
        """ROC AUC on the validation split, by which models are selected."""
        return self.evaluation.results["metrics"]["validation"]["roc_auc"]

    @property
    def threshold(self) -> float:
        """Of the uncalibrated score, chosen on validation; scores at or above it mean pneumonia."""
        return self.evaluation.results["threshold"]["value"]

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The model's scores (N,) as calibrated probabilities of pneumonia, float64 (N,)."""
        fit = self.evaluation.results["calibration"]
        return calibrated(np.asarray(scores, np.float64), fit["temperature"], fit["offset"])

    def calibration_warning(self) -> str:
        """What to know if calibration made the probabilities worse on the run's test images; empty if it did not."""
        table = self.evaluation.split("test")
        labels, scores = table["label"].to_numpy(), table["score"].to_numpy(np.float64)
        before = float(np.mean((scores - labels) ** 2))
        after = float(np.mean((self.probabilities(scores) - labels) ** 2))
        if after <= before:
            return ""
        return (
            f"calibration, fitted on validation, made the probabilities worse on the run's test images (Brier score "
            f"{before:.3f} before, {after:.3f} after): do not rely on them as probabilities"
        )

    def verdicts(self, scores: np.ndarray) -> list[str]:
        """For each of the scores (N,), "pneumonia" if it reaches the threshold, else "normal"."""
        return ["pneumonia" if score >= self.threshold else "normal" for score in scores]


def select(run: Path, regime: str | None = None, seed: int | None = None) -> SelectedModel:
    """Selects the model with the highest ROC AUC on validation.

    Args:
        run: a folder that `pipelines.local` has written.
        regime: only models of this regime.
        seed: only models of this seed.

    Raises:
        UserError: the run has no such model.
    """
    if not run.is_dir():
        raise UserError(f"there is no run {run}: give the folder of a finished run with --run")
    found = sorted(_evaluated(run), key=lambda selected: (-selected.validation_auc, selected.seed))
    if not found:
        raise UserError(f"{run} has no trained and evaluated models below steps/: give the folder of a finished run")
    matching = [selected for selected in found if regime in (None, selected.regime) and seed in (None, selected.seed)]
    if not matching:
        has = ", ".join(sorted({f"{selected.regime} {selected.seed}" for selected in found}))
        raise UserError(f"{run} has no such model; its regimes and seeds are: {has}")
    return matching[0]


def _evaluated(run: Path) -> Iterator[SelectedModel]:
    """The models of a run that were evaluated; damaged ones are skipped with a message."""
    evaluations = list(_readable(run, "evaluation.json", _evaluation))
    for model in _readable(run, "training.json", TrainedModel.load):
        for evaluation in evaluations:
            if evaluation.results["training"] == model.training:
                yield SelectedModel(model, evaluation)


def _readable(run: Path, name: str, load: Callable[[Path], Loaded]) -> Iterator[Loaded]:
    """What `load` gives for every folder below the steps of a run that has a file of this name."""
    for file in sorted(run.resolve().glob(f"steps/**/{name}")):
        if any(part.startswith(".") for part in file.relative_to(run.resolve()).parts):  # an interrupted step's
            continue
        try:
            yield load(file.parent)
        except UserError as error:
            note(f"skipped: {error}")


def _evaluation(folder: Path) -> Evaluation:
    evaluation = Evaluation.load(folder)
    # The baseline's evaluation is complete, but no trained model belongs to it.
    if _NEEDED - evaluation.results.keys() or "offset" not in evaluation.results["calibration"]:
        raise UserError(f"{folder} was written by another version of the project; run the benchmark again")
    return evaluation
