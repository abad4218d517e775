"""Trainings on fewer labelled patients: scores of test images by budget and draw. Written by train."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import pandas as pd

from components.artifacts import failed_training, files
from components.artifacts.evaluation import ExternalTestSet
from components.artifacts.names import REGIMES
from components.artifacts.trained_model import Backbone, DatasetId, Hardware
from components.console import UserError, one_line

KIND = "trainings with label budgets"
COLLECTION = "trainings of regimes with label budgets"
INDEX = "regimes.json"
RECORD = "label_budgets.json"
IMAGES, SCORES = "images.csv", "scores.npy"
COLUMNS = ("image", "label", "patient", "split")


class Labelled(TypedDict):
    """A number of labelled patients or of their images, in training and in validation."""

    train: int
    validation: int


class BudgetTraining(TypedDict):
    """A training on some of the patients.

    Attributes:
        budget: number of labelled patients, of training and validation together.
        draw: counted from 1; with a greater budget, a draw has the same patients and others.
        seed: of the training.
        patients, images: what it had.
        threshold: of the score, chosen on its validation images by the rule of evaluate.
        validation_auc: ROC AUC on them; None if scores are NaN.
        epochs: that were trained; 0 where the head alone is trained, which is solved directly.
        diverged: whether the training diverged.
        seconds: training time, without what all trainings share.
    """

    budget: int
    draw: int
    seed: int
    patients: Labelled
    images: Labelled
    threshold: float
    validation_auc: float | None
    epochs: int
    diverged: bool
    seconds: float


class LabelBudgetsRecord(files.Header):
    """The content of `label_budgets.json`.

    Attributes:
        regime: one of `names.REGIMES`.
        backbone: None for models without a backbone.
        dataset: the training data.
        external: the external test set; None without one.
        hardware: the machine.
        patients: of training and validation together, in the whole dataset.
        images: of training and validation together, likewise.
        left_out: {budget: why there is no training with it}, for example that the dataset has fewer patients.
        trainings: in the order of the rows of `scores.npy`.
        seconds: of everything, with what all trainings share and the scoring of test images.
        shared_seconds: features that all trainings share.
        peak_memory_mb: of the process (1e6 bytes).
    """

    regime: str
    backbone: Backbone | None
    dataset: DatasetId
    external: ExternalTestSet | None
    hardware: Hardware | None
    patients: int
    images: int
    left_out: dict[str, str]
    trainings: list[BudgetTraining]
    seconds: float
    shared_seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class LabelBudgets:
    """The trainings of one regime and their scores.

    On disk: `label_budgets.json`, `images.csv` (the test images and those of the external test set, with the split
    "test" or "external") and `scores.npy` (float32 (T, N), probabilities of pneumonia).

    Attributes:
        folder: of the artifact.
        record: content of `label_budgets.json`.
        images: N rows with the columns `COLUMNS`.
        scores: float32 (T, N), a row for each of `record["trainings"]`.
    """

    folder: Path
    record: LabelBudgetsRecord
    images: pd.DataFrame
    scores: np.ndarray

    @classmethod
    def load(cls, folder: str | Path) -> "LabelBudgets":
        """Reads the trainings of one regime.

        Raises:
            UserError: a file is missing, damaged or of another kind, the scores do not match the images, or the
                trainings failed.
        """
        folder = Path(folder)
        if failure := failed_training.load(folder):
            raise UserError(f"{folder} has no trainings, since they failed: {one_line(failure['reason'])}")
        record = cast(LabelBudgetsRecord, files.read_json(folder / RECORD, KIND))
        images = files.read_table(folder / IMAGES, KIND, COLUMNS)
        with files.whole(folder / SCORES, KIND):
            scores = np.load(folder / SCORES, allow_pickle=False)
        if scores.dtype != np.float32 or scores.shape != (len(record["trainings"]), len(images)):
            raise UserError(
                f"{folder / SCORES} is {scores.dtype} {scores.shape}, but there are {len(record['trainings'])} "
                f"trainings and {len(images)} images: run train again"
            )
        return cls(folder, record, images, scores)


def save(folder: Path, record: LabelBudgetsRecord, images: pd.DataFrame, scores: Sequence[np.ndarray]) -> None:
    """Writes the trainings into a folder.

    Args:
        folder: exists.
        record: content of `label_budgets.json`.
        images: as in `LabelBudgets`.
        scores: for each training float (N,), probabilities of pneumonia.
    """
    images.loc[:, list(COLUMNS)].to_csv(folder / IMAGES, index=False)
    np.save(folder / SCORES, np.array(scores, np.float32).reshape(len(record["trainings"]), len(images)))
    files.write_json(folder / RECORD, record)


def save_index(folder: Path, regimes: Sequence[str], started: datetime) -> None:
    """Writes the index of an artifact that has a folder for each of these regimes, since when it was made (UTC)."""
    content = {**files.header(COLLECTION, started, {}), "regimes": list(regimes)}
    files.write_json(folder / INDEX, content)


def folders(folder: str | Path) -> list[Path]:
    """The folders of the regimes in an artifact with an index; each has trainings, or `failed.json`.

    Raises:
        UserError: the index is missing, or names other regimes than there are.
    """
    path = Path(folder) / INDEX
    found = files.read_json(path, COLLECTION).get("regimes")
    if not isinstance(found, list) or not all(name in REGIMES for name in found):
        raise UserError(f"{path} is damaged (it lists no regimes); run train again")
    return [Path(folder) / name for name in found]
