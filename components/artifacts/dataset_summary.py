"""The dataset summary for `compare`: counts, quality, a few example images. Written by preprocess."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import pandas as pd

from components.artifacts import files, image_table
from components.artifacts.raw_dataset import Duplicates, Quality, Source

KIND = "prepared dataset"


Characteristics = dict[str, dict[str, dict[str, int | str]]]
"""{one of `names.CHARACTERISTICS`: {group: {split: number}}}; small numbers are replaced by "<5" or "not shown"."""


class Counts(TypedDict):
    """Size of a split: numbers of images, of patients, and of images with pneumonia."""

    images: int
    patients: int
    pneumonia: int


class Copies(Duplicates):
    """Groups of images that are copies of each other, including re-encoded and resized copies.

    Attributes:
        re_encoded: groups whose files are not byte-identical.
        across_patients: groups with images of several patients.
        dropped: images that were removed.
    """

    re_encoded: int
    across_patients: int
    dropped: int


class PreparedQuality(Quality):
    """Quality of the source's files after decoding; `refused` includes those that could not be decoded.

    Attributes:
        copies: groups of copies.
    """

    copies: Copies


class AssumedAuc(TypedDict):
    """What a test set can show about two models with about this ROC AUC.

    Attributes:
        roc_auc: assumed for both models.
        standard_error: of one ROC AUC, over samples of patients.
        detectable: differences in ROC AUC that one two-sided test shows with the given power, for the highest and the
            lowest correlation between the models.
        detectable_holm: the same at the level that the smallest p-value of all pairs has to reach.
    """

    roc_auc: float
    standard_error: float
    detectable: list[float]
    detectable_holm: list[float]


class Planning(TypedDict):
    """What a test set can show, computed from its size before anything is trained, see `planning.plan`.

    Attributes:
        level: two-sided error rate of a test.
        power: probability that a test shows a difference.
        pairs: of regimes, for which p-values are corrected.
        intra_patient_correlation: assumed between images of a patient.
        model_correlation: assumed between the ROC AUCs of two models, lowest and highest.
        assumed: one entry for each assumed ROC AUC.
        validation_patients: {class: number of patients} of the validation split; missing where it is not known.
    """

    level: float
    power: float
    pairs: int
    intra_patient_correlation: float
    model_correlation: list[float]
    assumed: list[AssumedAuc]
    validation_patients: NotRequired[dict[str, int]]


class DatasetRecord(files.Header):
    """The content of `dataset.json`.

    Attributes:
        source: origin of the images.
        ingest: `made_by` of the raw dataset.
        image_size: height and width in px.
        resize: description of the resizing.
        split_rule: description of how the splits were made.
        deduplicated: whether copies were removed.
        resplit: whether the source's splits were replaced by new ones.
        splits: by name.
        fingerprint: see `prepared_dataset.fingerprint`.
        quality: of the source's files.
        planning: what the test split can show. Records of earlier versions do not have it.
        characteristics: of the patients and images in each split, where DICOM files name them.
    """

    source: Source
    ingest: files.MadeBy
    image_size: int
    resize: str
    split_rule: str
    deduplicated: bool
    resplit: bool
    splits: dict[str, Counts]
    fingerprint: str
    quality: PreparedQuality
    planning: NotRequired[Planning]
    characteristics: NotRequired[Characteristics]


@dataclass(frozen=True)
class DatasetSummary:
    """A prepared dataset without its images.

    On disk: `dataset.json` (a copy of the prepared dataset's), the table of all images (see `image_table`; summaries of
    earlier versions have none) and, unless the report must not contain images, `examples.png` (one row of images per
    class).

    Attributes:
        folder: of the artifact.
        info: content of `dataset.json`.
    """

    folder: Path
    info: DatasetRecord

    @property
    def examples(self) -> Path:
        """PNG with one row of training images per class, normal above pneumonia; it may be absent."""
        return self.folder / "examples.png"

    @classmethod
    def load(cls, folder: str | Path) -> "DatasetSummary":
        """Reads the summary.

        Raises:
            UserError: `dataset.json` is missing or of another kind.
        """
        folder = Path(folder)
        return cls(folder, cast(DatasetRecord, files.read_json(folder / "dataset.json", KIND)))


def save(folder: Path, dataset_json: Path, images: pd.DataFrame, examples_png: bytes | None) -> None:
    """Writes a copy of `dataset_json`, the table of all images and, if given, the PNG of example images."""
    shutil.copyfile(dataset_json, folder / "dataset.json")
    image_table.save(folder, images)
    if examples_png is not None:
        (folder / "examples.png").write_bytes(examples_png)
