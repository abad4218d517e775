"""Brings the evaluations together and makes sure that they may be compared at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.artifacts.dataset_summary import DatasetSummary
from components.artifacts.evaluation import Evaluation, calibrated, load_all
from components.artifacts.names import FLOOR, REGIMES
from components.console import UserError


@dataclass(frozen=True)
class Model:
    """One trained model as the statistics need it.

    Attributes:
        evaluation: the artifact.
        seed: of its training.
        scores: float64 (N,), probability of pneumonia of each test image, in the order of `Inputs.labels`.
        threshold: a score from here on means pneumonia.
        external_scores: float64 (E,), likewise of each image of the second data set; None without one.
    """

    evaluation: Evaluation
    seed: int
    scores: np.ndarray
    threshold: float
    external_scores: np.ndarray | None

    @property
    def calibrated_scores(self) -> np.ndarray:
        """Scores (N,) as probabilities, after the calibration that was fitted on validation."""
        fit = self.evaluation.results["calibration"]
        return calibrated(self.scores, fit["temperature"], fit["offset"])


@dataclass(frozen=True)
class External:
    """A second data set, on which nothing was trained or chosen.

    Attributes:
        info: "source", "fingerprint", "images", "patients", "pneumonia".
        labels: int64 (E,), 0 normal, 1 pneumonia.
        patients: (E,), whom each image shows.
    """

    info: dict[str, Any]
    labels: np.ndarray
    patients: np.ndarray


@dataclass(frozen=True)
class Inputs:
    """Everything that is compared, on one and the same test set.

    Attributes:
        dataset: counts and quality of the data.
        labels: int64 (N,), 0 normal, 1 pneumonia.
        patients: (N,), whom each image shows.
        regimes: the models of each regime, by seed; regimes in the order of `REGIMES`.
        floor: what every regime has to beat, if it was evaluated.
        subgroups: {name: (N,) bool}, the images of each subgroup that this test set has.
        external: a second data set, if the models were scored on one.
    """

    dataset: DatasetSummary
    labels: np.ndarray
    patients: np.ndarray
    regimes: dict[str, list[Model]]
    floor: Model | None
    subgroups: dict[str, np.ndarray]
    external: External | None

    @property
    def models(self) -> list[Model]:
        """All models of regimes, regime by regime."""
        return [model for models in self.regimes.values() for model in models]


def load(evaluations: Sequence[str | Path], dataset_summary: str | Path) -> Inputs:
    """Reads the artifacts and checks that they belong together.

    Args:
        evaluations: evaluation folders of regimes and at most one of the floor, in any order; one has all seeds of a
            regime, or a single one.
        dataset_summary: folder of the dataset summary.

    Raises:
        UserError: there is nothing to compare, or the evaluations are not of the same test set.
    """
    if not evaluations:
        raise UserError("there is no evaluation to compare: pass at least one evaluation folder")
    dataset = DatasetSummary.load(dataset_summary)
    loaded = sorted((own for folder in evaluations for own in load_all(folder)), key=_order)
    _check_unique(loaded)
    tables = [_test_table(evaluation, dataset) for evaluation in loaded]
    second = [_table(evaluation, "external") for evaluation in loaded]
    reference = tables[0]
    regimes: dict[str, list[Model]] = {}
    floor = None
    for evaluation, table, other in zip(loaded, tables, second, strict=True):
        _check_same_images(loaded[0], reference, evaluation, table)
        _check_same_images(loaded[0], second[0], evaluation, other)
        if evaluation.results["regime"] == FLOOR:
            floor = _model(evaluation, table, other)
        else:
            regimes.setdefault(evaluation.results["regime"], []).append(_model(evaluation, table, other))
    if not regimes:
        raise UserError(f"{loaded[0].folder} is of the floor, which is no regime: pass an evaluation of a regime too")
    external = None if second[0].empty else External(loaded[0].results["external"], *_truth(second[0]))
    return Inputs(dataset, *_truth(reference), regimes, floor, _subgroups(reference), external)


def _truth(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels and patients."""
    return table["label"].to_numpy(np.int64), table["patient"].to_numpy(str)


def _subgroups(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The subgroups of which there are images, and others too; a kind of pneumonia is set against all normal images."""
    normal, seen = (table["label"] == 0).to_numpy(), (table["patient_seen"] == 1).to_numpy()
    kinds = {kind: (table["subtype"] == kind).to_numpy() for kind in ("bacteria", "virus")}
    found = {kind: rows | normal for kind, rows in kinds.items() if rows.any()}
    if seen.any() and not seen.all():
        found |= {"patient seen in training": seen, "patient new": ~seen}
    return found


def _order(evaluation: Evaluation) -> tuple[int, int]:
    regime, known = evaluation.results["regime"], (*REGIMES, FLOOR)
    if regime not in known:
        raise UserError(f"{evaluation.folder} is of the unknown regime {regime!r}: use one of {', '.join(known)}")
    return known.index(regime), int(evaluation.results["seed"])


def _check_unique(evaluations: list[Evaluation]) -> None:
    seen: dict[tuple[int, int], Path] = {}
    for evaluation in evaluations:
        first = seen.setdefault(_order(evaluation), evaluation.folder)
        if first is not evaluation.folder:
            raise UserError(
                f"{first} and {evaluation.folder} are both {evaluation.results['regime']} with seed "
                f"{evaluation.results['seed']}: pass one evaluation a regime and seed"
            )


def _test_table(evaluation: Evaluation, dataset: DatasetSummary) -> pd.DataFrame:
    """The test predictions by image name, once the evaluation is known to be of this dataset."""
    fingerprint = evaluation.results["dataset"]["fingerprint"]
    if fingerprint != dataset.info["fingerprint"]:
        raise UserError(
            f"{evaluation.folder} was scored on another dataset (fingerprint {fingerprint[:12]}) than "
            f"{dataset.folder} ({dataset.info['fingerprint'][:12]}): evaluate the model on this dataset"
        )
    table = _table(evaluation, "test")
    if table["label"].nunique() < 2:
        raise UserError(
            f"the test split in {evaluation.folder} does not have both normal and pneumonia images: "
            "prepare the dataset with a test split that has both"
        )
    return table


def _table(evaluation: Evaluation, split: str) -> pd.DataFrame:
    """The predictions of a split by image name, once they are known to be numbers."""
    table = evaluation.split(split).sort_values("image", kind="stable", ignore_index=True)
    table["score"] = pd.to_numeric(table["score"], errors="coerce")
    if not np.isfinite(table["score"]).all():
        raise UserError(
            f"{evaluation.folder} has scores that are no numbers, so its training diverged: "
            "train that regime again with a lower learning rate"
        )
    return table


def _check_same_images(first: Evaluation, reference: pd.DataFrame, other: Evaluation, table: pd.DataFrame) -> None:
    keys = ["image", "label", "patient", "subtype", "patient_seen"]
    if not reference[keys].equals(table[keys]):
        raise UserError(
            f"{first.folder} and {other.folder} were scored on different test images or labels: "
            "evaluate all models on the same prepared dataset"
        )


def _model(evaluation: Evaluation, table: pd.DataFrame, second: pd.DataFrame) -> Model:
    external = None if second.empty else _scores(second)
    return Model(
        evaluation,
        int(evaluation.results["seed"]),
        _scores(table),
        float(evaluation.results["threshold"]["value"]),
        external,
    )


def _scores(table: pd.DataFrame) -> np.ndarray:
    # Models give float32 and the file keeps nine digits: the way over float32 brings the exact score back, so that
    # an image whose score is the threshold itself stays on its side.
    return table["score"].to_numpy(np.float32).astype(np.float64)


def from_cache(inputs: Inputs, run_started: str) -> list[str]:
    """What the run did not make itself but took from an earlier one.

    Args:
        inputs: what is compared.
        run_started: when the run began (ISO 8601). Where that is unknown (empty, or a placeholder that an older
            Kubeflow left as it was), nothing can be told.

    Returns:
        "dataset", and regimes of which at least one training was taken.
    """
    try:
        began = datetime.fromisoformat(run_started)
    except ValueError:
        return []
    began = began if began.tzinfo else began.replace(tzinfo=UTC)

    def earlier(made_by: dict[str, str]) -> bool:
        return datetime.fromisoformat(made_by["finished"]) < began

    trainings = {
        regime: any(earlier(model.evaluation.results["training"]["made_by"]) for model in models)
        for regime, models in inputs.regimes.items()
    }
    return ["dataset"] * earlier(inputs.dataset.info["made_by"]) + [
        regime for regime, taken in trainings.items() if taken
    ]
