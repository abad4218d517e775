"""The little that `compare` needs to know of the data: counts, quality, a few example images. Written by preprocess."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from components.artifacts import files
from components.artifacts.raw_dataset import Duplicates, Quality, Source

KIND = "prepared dataset"


class Counts(TypedDict):
    """How large a split is: images, patients, and images with pneumonia."""

    images: int
    patients: int
    pneumonia: int


class Copies(Duplicates):
    """Images that show the same, also re-encoded or resized ones.

    Attributes:
        re_encoded: groups that are not byte-identical.
        across_patients: groups whose images are of different patients.
        dropped: images that were left out.
    """

    re_encoded: int
    across_patients: int
    dropped: int


class PreparedQuality(Quality):
    """What is known of the source's files once they are decoded; `refused` has those that could not be.

    Attributes:
        copies: images that show the same.
    """

    copies: Copies


class DatasetRecord(files.Header):
    """The content of `dataset.json`.

    Attributes:
        source: where the images came from.
        ingest: `made_by` of the raw dataset.
        image_size: height and width in px.
        resize: how images were resized, in words.
        split_rule: how the splits were made, in words.
        deduplicated: whether copies were left out.
        resplit: whether the source's splits were ignored.
        splits: by name.
        fingerprint: see `prepared_dataset.fingerprint`.
        quality: of the source's files.
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


@dataclass(frozen=True)
class DatasetSummary:
    """A prepared dataset without its images.

    On disk: `dataset.json` (a copy of the prepared dataset's) and, unless the report is to have no images,
    `examples.png` (a row of images a class).

    Attributes:
        folder: where the artifact lies.
        info: content of `dataset.json`.
    """

    folder: Path
    info: DatasetRecord

    @property
    def examples(self) -> Path:
        """PNG with a row of training images of each class, normal above pneumonia; it may be absent."""
        return self.folder / "examples.png"

    @classmethod
    def load(cls, folder: str | Path) -> "DatasetSummary":
        """Reads the summary.

        Raises:
            UserError: `dataset.json` is missing or of another kind.
        """
        folder = Path(folder)
        return cls(folder, cast(DatasetRecord, files.read_json(folder / "dataset.json", KIND)))


def save(folder: Path, dataset_json: Path, examples_png: bytes | None) -> None:
    """Fills `folder` with a copy of `dataset_json` and the picture, if there is one."""
    shutil.copyfile(dataset_json, folder / "dataset.json")
    if examples_png is not None:
        (folder / "examples.png").write_bytes(examples_png)
