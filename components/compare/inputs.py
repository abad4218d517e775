"""Reads the evaluations and checks that they can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from components import thresholds
from components.artifacts.dataset_summary import DatasetSummary
from components.artifacts.evaluation import (
    Evaluation,
    EvaluationRecord,
    Explanations,
    ExternalTestSet,
    calibrated,
    load_all,
)
from components.artifacts.failed_training import FailedTraining
from components.artifacts.names import FLOOR, REGIMES
from components.compare import failures, subgroups
from components.console import UserError
from components.thresholds import Rule


@dataclass(frozen=True)
class Model:
    """One trained model as the statistics need it.

    Attributes:
        evaluation: the artifact.
        scores: float64 (N,), probability of pneumonia of each test image, in the order of `Inputs.labels`.
        validation_scores: float64 (V,), likewise of each validation image, in the order of
            `Inputs.validation_labels`; empty where the evaluation has none.
    """

    evaluation: Evaluation
    scores: np.ndarray
    validation_scores: np.ndarray

    @property
    def record(self) -> EvaluationRecord:
        """The content of `evaluation.json`, with the training record."""
        return self.evaluation.results

    @property
    def regime(self) -> str:
        """The regime, or `names.FLOOR` for the baseline."""
        return self.record["regime"]

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.record["seed"])

    @property
    def threshold(self) -> float:
        """Scores at or above it mean pneumonia; chosen on validation."""
        return float(self.record["threshold"]["value"])

    @property
    def rule(self) -> Rule:
        """By which the threshold was chosen."""
        # Evaluations of earlier versions may lack the argument; its default was the same.
        target = cast(float, self.record["made_by"]["arguments"].get("target_sensitivity", 0.0))
        return thresholds.main_rule(target)

    @property
    def calibrated_scores(self) -> np.ndarray:
        """Scores, float64 (N,), as probabilities, after the calibration that was fitted on validation."""
        fit = self.record["calibration"]
        return calibrated(self.scores, fit["temperature"], fit["offset"])

    @property
    def has_equal_scores(self) -> bool:
        """Whether all test images have the same score."""
        return bool(np.ptp(self.scores) == 0)

    @property
    def test_images(self) -> list[str]:
        """Names of the test images, in the order of `Inputs.labels`."""
        return self.evaluation.split("test").sort_values("image", kind="stable")["image"].astype(str).tolist()

    def explanations(self) -> Explanations | None:
        """The explanations in the order of `Inputs.labels`; None where there are none."""
        found = self.evaluation.explanations()
        if found is None:
            return None
        order = self.evaluation.split("test")["image"].argsort(kind="stable").to_numpy()
        return Explanations(found.thumbnails[order], found.maps[order])


@dataclass(frozen=True)
class ExternalImages:
    """The external test set, on which nothing was trained or chosen.

    Attributes:
        info: what it is.
        labels: int64 (E,), 0 normal, 1 pneumonia.
        patients: str (E,), patient of each image.
        scores: {(regime, seed): float64 (E,), probability of pneumonia of each image}, for every model.
    """

    info: ExternalTestSet
    labels: np.ndarray
    patients: np.ndarray
    scores: dict[tuple[str, int], np.ndarray]


@dataclass(frozen=True)
class Inputs:
    """Everything that is compared, on the same test set.

    Attributes:
        dataset: counts and quality of the data.
        labels: int64 (N,), 0 normal, 1 pneumonia.
        patients: str (N,), patient of each image.
        validation_labels: int64 (V,), likewise of the validation images, on which thresholds were chosen; empty where
            the evaluations have no predictions on them.
        validation_patients: str (V,), patient of each validation image.
        regimes: the models of each regime, by seed; regimes in the order of `REGIMES`.
        baseline: the baseline that every regime has to beat, if it was evaluated.
        subgroups: {name: (N,) bool}, the images of each subgroup that this test set has.
        external: the external test set, if the models were scored on one.
        seen: bool (N,), whether the patient of an image also has images in training or validation.
        failures: of the trainings that failed, whose regimes are not compared; in the order of `REGIMES`.
    """

    dataset: DatasetSummary
    labels: np.ndarray
    patients: np.ndarray
    validation_labels: np.ndarray
    validation_patients: np.ndarray
    regimes: dict[str, list[Model]]
    baseline: Model | None
    subgroups: dict[str, np.ndarray]
    external: ExternalImages | None
    seen: np.ndarray
    failures: list[FailedTraining]

    @property
    def models(self) -> list[Model]:
        """All models of regimes, regime by regime."""
        return [model for models in self.regimes.values() for model in models]

    @property
    def groups(self) -> dict[str, list[Model]]:
        """The models of each regime, and after them the baseline if there is one."""
        return self.regimes | ({FLOOR: [self.baseline]} if self.baseline else {})

    @property
    def fewest_patients(self) -> int:
        """Test patients of the class that has fewer of them."""
        return min(len(set(self.patients[self.labels == label])) for label in (0, 1))


def load(evaluations: Sequence[str | Path], dataset_summary: str | Path) -> Inputs:
    """Reads the artifacts and checks that they belong together.

    Args:
        evaluations: evaluation folders of regimes and at most one of the baseline, in any order; a folder has all seeds
            of a regime, or a single one, or the failure of its training.
        dataset_summary: folder of the dataset summary.

    Raises:
        UserError: there is nothing to compare, or the evaluations are not of the same test set, or a regime is both
            evaluated and failed.
    """
    if not evaluations:
        raise UserError("there is no evaluation to compare: pass at least one evaluation folder")
    dataset = DatasetSummary.load(dataset_summary)
    failed = failures.load(evaluations)
    given = [Path(folder) for folder in evaluations if Path(folder) not in failed]
    loaded = sorted((own for folder in given for own in load_all(folder)), key=_order)
    _check_unique(loaded)
    failures.check(failed, loaded)
    tables = [_test_table(evaluation, dataset) for evaluation in loaded]
    on_validation = [_table(evaluation, "validation") for evaluation in loaded]
    external = _external(loaded)
    regimes: dict[str, list[Model]] = {}
    baseline = None
    for evaluation, table, validation in zip(loaded, tables, on_validation, strict=True):
        _check_same_images(loaded[0], tables[0], evaluation, table)
        _check_same_images(loaded[0], on_validation[0], evaluation, validation)
        model = Model(evaluation, _scores(table), _scores(validation))
        if model.regime == FLOOR:
            baseline = model
        else:
            regimes.setdefault(model.regime, []).append(model)
    if not regimes:
        raise UserError(
            f"{loaded[0].folder} is of the baseline, which is not a regime: pass an evaluation of a regime too"
        )
    truth = (*_truth(tables[0]), *_truth(on_validation[0]))
    parts, seen = subgroups.subgroups(tables[0]), subgroups.seen(tables[0])
    return Inputs(dataset, *truth, regimes, baseline, parts, external, seen, list(failed.values()))


def _external(evaluations: list[Evaluation]) -> ExternalImages | None:
    """The external test set, once all evaluations are known to have the same one, or none."""
    tables = [_table(evaluation, "external") for evaluation in evaluations]
    for evaluation, table in zip(evaluations, tables, strict=True):
        _check_same_images(evaluations[0], tables[0], evaluation, table)
    if tables[0].empty:
        return None
    if tables[0]["label"].nunique() < 2:
        raise UserError(
            f"the external test set in {evaluations[0].folder} does not have both normal and pneumonia images: "
            "evaluate "
            "on one that has both, or without"
        )
    info = evaluations[0].results["external"]
    if info is None:
        raise UserError(
            f"{evaluations[0].folder} has predictions on an external test set that evaluation.json does not describe: "
            "evaluate the model again"
        )
    scores = {
        (evaluation.results["regime"], int(evaluation.results["seed"])): _scores(table)
        for evaluation, table in zip(evaluations, tables, strict=True)
    }
    return ExternalImages(info, *_truth(tables[0]), scores)


def _truth(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels and patients."""
    return table["label"].to_numpy(np.int64), table["patient"].to_numpy(str)


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
                f"{evaluation.results['seed']}: pass one evaluation per regime and seed"
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
            f"{evaluation.folder} has scores that are not numbers, so its training diverged: "
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


def _scores(table: pd.DataFrame) -> np.ndarray:
    # Models return float32 and the file keeps nine digits. Converting by way of float32 restores the exact score, so
    # that an image whose score equals the threshold stays on its side.
    return table["score"].to_numpy(np.float32).astype(np.float64)
