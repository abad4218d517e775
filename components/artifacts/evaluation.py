"""The evaluations of one regime's trained models: scores, and everything computed from them. Written by evaluate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from components.artifacts import files
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
"""Every metric of an evaluation, in the order in which tables show them; pneumonia is the positive class."""

CALIBRATION_BINS = 15
"""Equal-width bins of the expected calibration error (Guo et al. 2017, arXiv:1706.04599)."""


class Threshold(TypedDict):
    """From which score on a model says pneumonia.

    Attributes:
        value: of the uncalibrated score.
        chosen_on: "validation".
        rule: in words, for example "Youden's J".
    """

    value: float
    chosen_on: str
    rule: str


class OperatingPoint(TypedDict):
    """A further threshold of interest.

    Attributes:
        name: for example "threshold 0.5".
        threshold: of the uncalibrated score.
        chosen_on: "validation"; None for what was not chosen on data.
    """

    name: str
    threshold: float
    chosen_on: str | None


class Calibration(TypedDict):
    """How scores become probabilities, see `calibrated`.

    Attributes:
        temperature: divides the logits.
        offset: is added then.
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
    """How fast the model scores.

    Attributes:
        ms_per_image: milliseconds, without loading and compiling.
        images_per_second: the same as a rate.
        batch_size: images per step.
    """

    ms_per_image: float
    images_per_second: float
    batch_size: int


class ExternalTestSet(TypedDict):
    """What the external test set is.

    Attributes:
        source: where it came from.
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
        regime: one of `names.REGIMES`, or `names.FLOOR`.
        seed: of the training.
        backbone: None for networks without.
        dataset: what was scored.
        threshold: chosen on validation.
        operating_points: further thresholds.
        calibration: fitted on validation.
        metrics: {"validation" or "test": {one of `METRICS`: value}}.
        confusion: on test.
        curves: on test.
        inference: its speed.
        robustness: {change of the test images: ROC AUC}.
        external: the external test set; None without one.
        training: the model's whole `training.json`.
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
    external: ExternalTestSet | None
    training: TrainingRecord


@dataclass(frozen=True)
class Evaluation:
    """Predictions of one model and what follows from them.

    On disk, in a folder for each seed (`files.seed_folder`): `predictions.csv`, `evaluation.json` and, where the model
    can be explained, `explanations.npz`.

    Attributes:
        folder: of this evaluation.
        predictions: one row an image of the validation and the test split, with the columns `PREDICTION_COLUMNS`:
            `split` ("validation", "test", or "external" for a second data set), `image` (str), `patient` (str),
            `label` (int, 1 pneumonia), `score` (float, the model's probability of pneumonia), `subtype` (str,
            "bacteria", "virus" or "" where the name tells none), `patient_seen` (int, 1 where a patient of this name
            was seen in training or validation).
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
        """Where the model looked in each test image; None where that was not written down.

        Raises:
            UserError: the file is damaged or of other images.
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
    """Where a model looked in each test image, in the order of `Evaluation.split("test")`.

    Attributes:
        thumbnails: uint8 (N, T, T), the images, small.
        maps: uint8 (N, G, G), the coarse heat of Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) over each image,
            from 0 (nothing speaks for pneumonia) to 255 (the strongest place of this image).
    """

    thumbnails: np.ndarray
    maps: np.ndarray


def load_all(folder: str | Path) -> list[Evaluation]:
    """The evaluations in the artifact of evaluate, one for each seed.

    Args:
        folder: the artifact, or the folder of a single evaluation in it.

    Raises:
        UserError: a file is missing or of another kind.
    """
    return [Evaluation.load(own) for own in files.seed_folders(Path(folder), INDEX, COLLECTION, "evaluation.json")]


def logits(scores: np.ndarray) -> np.ndarray:
    """The logits (N,) of probabilities; those of 0 and 1, which are infinite, stay within what float32 can tell."""
    return logit(np.clip(scores, 1e-7, 1 - 1e-7))


def calibrated(scores: np.ndarray, temperature: float, offset: float) -> np.ndarray:
    """Scores (N,) as probabilities: logits divided by the temperature, then the offset added (Platt scaling)."""
    return expit(logits(scores) / temperature + offset)


def save(
    folder: Path, predictions: pd.DataFrame, results: EvaluationRecord, explanations: Explanations | None = None
) -> None:
    """Fills `folder` with an evaluation; scores keep nine significant digits, more than float32 has."""
    folder.mkdir(exist_ok=True)
    if explanations:
        np.savez_compressed(folder / "explanations.npz", thumbnails=explanations.thumbnails, maps=explanations.maps)
    predictions.loc[:, list(PREDICTION_COLUMNS)].to_csv(folder / "predictions.csv", index=False, float_format="%.9g")
    files.write_json(folder / "evaluation.json", results)


def save_index(folder: Path, results: Sequence[EvaluationRecord]) -> None:
    """Writes the index of an artifact whose evaluations are saved already; `results` has each `evaluation.json`."""
    files.write_seeds(folder / INDEX, COLLECTION, results)
