"""The evaluations of one regime's trained models: scores and all results computed from them. Written by evaluate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from components.artifacts import files
from components.artifacts.names import GROUPS
from components.artifacts.raw_dataset import Source
from components.artifacts.trained_model import Backbone, DatasetId, TrainingRecord

KIND = "evaluation"
COLLECTION = "evaluations"
INDEX = "evaluations.json"
PREDICTION_COLUMNS = ("split", "image", "patient", "label", "score", "subtype", "patient_seen")

METRICS = (
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "balanced_accuracy",
    "mcc",
    "roc_auc",
    "pr_auc",
    "brier",
    "ece",
)
"""All metrics of an evaluation, in the order of the tables; pneumonia is the positive class."""

CALIBRATION_BINS = 15
"""Equal-width bins of the expected calibration error (Guo et al. 2017, arXiv:1706.04599)."""


class Threshold(TypedDict):
    """The decision threshold: scores greater than or equal to it are classified as pneumonia.

    Attributes:
        value: of the uncalibrated score.
        chosen_on: "validation".
        rule: in words, for example "Youden's J".
    """

    value: float
    chosen_on: str
    rule: str


class OperatingPoint(TypedDict):
    """A further decision threshold.

    Attributes:
        name: for example "threshold 0.5".
        threshold: of the uncalibrated score.
        chosen_on: "validation"; None for a fixed threshold.
    """

    name: str
    threshold: float
    chosen_on: str | None


class Calibration(TypedDict):
    """Parameters of Platt scaling, see `calibrated`.

    Attributes:
        temperature: the logits are divided by it.
        offset: is added to the result.
        fitted_on: "validation".
    """

    temperature: float
    offset: float
    fitted_on: str


class Confusion(TypedDict):
    """Counts of test images at the threshold; pneumonia is positive."""

    tn: int
    fp: int
    fn: int
    tp: int


class RocCurve(TypedDict):
    """Points of the ROC curve on test: false and true positive rates, and the thresholds that give them."""

    fpr: list[float]
    tpr: list[float]
    thresholds: list[float]


class PrecisionRecallCurve(TypedDict):
    """Points of the precision-recall curve on test."""

    precision: list[float]
    recall: list[float]


class Curves(TypedDict):
    """Curves on test."""

    roc: RocCurve
    pr: PrecisionRecallCurve


class Inference(TypedDict):
    """Inference speed.

    Attributes:
        ms_per_image: milliseconds per image, without loading and compiling.
        images_per_second: its inverse.
        batch_size: images per step.
    """

    ms_per_image: float
    images_per_second: float
    batch_size: int


class ExternalTestSet(TypedDict):
    """Description of the external test set.

    Attributes:
        source: origin of the images.
        fingerprint: see `prepared_dataset.fingerprint`.
        images, patients, pneumonia: counts; the last one is of images.
    """

    source: Source
    fingerprint: str
    images: int
    patients: int
    pneumonia: int


class EvaluationRecord(files.Header):
    """The content of `evaluation.json`.

    Attributes:
        regime: one of `names.REGIMES`, or `names.BASELINE`.
        seed: of the training.
        backbone: None for models without a backbone.
        dataset: the prepared dataset that was evaluated.
        threshold: chosen on validation.
        operating_points: further thresholds.
        calibration: fitted on validation.
        metrics: {"validation" or "test": {one of `METRICS`: value}}.
        confusion: on test.
        curves: on test.
        inference: inference speed.
        robustness: {change of the test images: ROC AUC} on some of them; "unchanged" is that without any change.
        robustness_errors: {change: standard error of its difference from "unchanged", between samples of patients}.
        robustness_images: how many test images were changed. Records of earlier versions have neither.
        external: the external test set; None without one.
        training: content of the model's `training.json`.
    """

    regime: str
    seed: int
    backbone: Backbone | None
    dataset: DatasetId
    threshold: Threshold
    operating_points: list[OperatingPoint]
    calibration: Calibration
    metrics: dict[str, dict[str, float]]
    confusion: Confusion
    curves: Curves
    inference: Inference
    robustness: dict[str, float]
    robustness_errors: NotRequired[dict[str, float]]
    robustness_images: NotRequired[int]
    external: ExternalTestSet | None
    training: TrainingRecord


@dataclass(frozen=True)
class Evaluation:
    """Predictions of one model and the results computed from them.

    On disk, in a folder for each seed (`files.seed_folder`): `predictions.csv`, `evaluation.json`, if Grad-CAM
    supports the model `explanations.npz` (of the first seed only), and if the training was a search its `tuning.csv`.

    Attributes:
        folder: of this evaluation.
        predictions: one row per image of the validation and the test split, with the columns `PREDICTION_COLUMNS`:
            `split` ("validation", "test", or "external" for the external test set), `image` (str), `patient` (str),
            `label` (int, 1 pneumonia), `score` (float, the model's probability of pneumonia), `subtype` (str,
            "bacteria", "virus", or "" if the file name contains neither), `patient_seen` (int, 1 if the patient has
            images in the training or validation split, else 0); and those of `names.GROUPS` that DICOM files name (str,
            "" for unknown).
        results: content of `evaluation.json`.
    """

    folder: Path
    predictions: pd.DataFrame
    results: EvaluationRecord

    @classmethod
    def load(cls, folder: str | Path) -> "Evaluation":
        """Reads an evaluation.

        Raises:
            UserError: a file is missing or of another kind.
        """
        folder = Path(folder)
        results = cast(EvaluationRecord, files.read_json(folder / "evaluation.json", KIND))
        return cls(folder, files.read_table(folder / "predictions.csv", KIND, PREDICTION_COLUMNS), results)

    def explanations(self) -> "Explanations | None":
        """Loads the Grad-CAM maps of the test images; None if the evaluation has none.

        Raises:
            UserError: the file is damaged, or its number of images differs from the test split.
        """
        path = self.folder / "explanations.npz"
        if not path.exists():
            return None
        with files.whole(path, KIND), np.load(path, allow_pickle=False) as content:
            found = Explanations(*(np.asarray(content[name]) for name in ("thumbnails", "maps")))
            images = int((self.predictions["split"] == "test").sum())
            for name, array in (("thumbnails", found.thumbnails), ("maps", found.maps)):
                if array.dtype != np.uint8 or array.ndim != 3 or len(array) != images:
                    raise ValueError(f"{name} are {array.dtype} {array.shape}, not uint8 of {images} images")
        return found

    def split(self, name: str) -> pd.DataFrame:
        """The predictions of one split ("validation" or "test"), in the order of the prepared dataset."""
        return self.predictions[self.predictions["split"] == name].reset_index(drop=True)


@dataclass(frozen=True)
class Explanations:
    """Grad-CAM maps of the test images, in the order of `Evaluation.split("test")`.

    Attributes:
        thumbnails: uint8 (N, T, T), the images at reduced size.
        maps: uint8 (N, G, G), the coarse Grad-CAM map (Selvaraju et al. 2017, arXiv:1610.02391) of each image, from 0
            (no evidence for pneumonia) to 255 (maximum of this image).
    """

    thumbnails: np.ndarray
    maps: np.ndarray


def load_all(folder: str | Path) -> list[Evaluation]:
    """Loads the evaluations of an evaluations artifact, one for each seed.

    Args:
        folder: the artifact, or the folder of a single evaluation in it.

    Raises:
        UserError: a file is missing or of another kind.
    """
    return [Evaluation.load(own) for own in files.seed_folders(Path(folder), INDEX, COLLECTION, "evaluation.json")]


def logits(scores: np.ndarray) -> np.ndarray:
    """The logits (N,) of probabilities (N,), which are clipped to [1e-7, 1 - 1e-7] so that all logits are finite."""
    return logit(np.clip(scores, 1e-7, 1 - 1e-7))


def calibrated(scores: np.ndarray, temperature: float, offset: float) -> np.ndarray:
    """Calibrated probabilities (N,) of scores (N,): sigmoid(logit / temperature + offset) (Platt scaling)."""
    return expit(logits(scores) / temperature + offset)


def save(
    folder: Path, predictions: pd.DataFrame, results: EvaluationRecord, explanations: Explanations | None = None
) -> None:
    """Writes an evaluation into `folder`; scores keep nine significant digits, enough to restore any float32."""
    folder.mkdir(exist_ok=True)
    if explanations:
        np.savez_compressed(folder / "explanations.npz", thumbnails=explanations.thumbnails, maps=explanations.maps)
    groups = [name for name in GROUPS if name in predictions]
    table = predictions.loc[:, [*PREDICTION_COLUMNS, *groups]].fillna(dict.fromkeys(groups, ""))
    table.to_csv(folder / "predictions.csv", index=False, float_format="%.9g")
    files.write_json(folder / "evaluation.json", results)


def save_index(folder: Path, results: Sequence[EvaluationRecord]) -> None:
    """Writes the index of an artifact; `results` has the content of each `evaluation.json`, already saved."""
    files.write_seeds(folder / INDEX, COLLECTION, results)
