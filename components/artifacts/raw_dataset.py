"""The raw dataset: unchanged image files (DICOM as PNG), a manifest, and a quality report. Written by ingest."""

import contextlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import pandas as pd

from components.artifacts import files
from components.artifacts.names import CHARACTERISTICS
from components.console import UserError

KIND = "raw dataset"
MANIFEST_COLUMNS = ("image", "label", "split", "patient", "sha256", "width", "height")
ARCHIVE_BYTES = 2 * 1024**3
"""Largest size of one zip; object stores accept 2 GB per upload."""

MAX_BAD_FRACTION = 0.01
"""Default of the largest share of unusable files with which a run continues."""
BLANK = "the image shows nothing: all of it has one grey value"
"""Reason for refusing an image without contrast."""
_NAMED = 10
"""Refused files named in the error message, at most."""


class Source(TypedDict):
    """Origin of a dataset.

    Attributes:
        name: one of `names.SOURCES`, or a URL.
        description: one sentence.
    """

    name: str
    description: str


class RefusedFile(TypedDict):
    """A file that could not be used, and why."""

    image: str
    reason: str


class Duplicates(TypedDict):
    """Byte-identical images.

    Attributes:
        groups: number of groups of identical images.
        images: number of images in all groups.
        across_splits, across_classes: groups with images in several splits, or with several labels.
        examples: image names of the first few groups.
    """

    groups: int
    images: int
    across_splits: int
    across_classes: int
    examples: list[list[str]]


class SharedPatients(TypedDict):
    """Patients with images in more than one of the source's splits: their number, and the first few."""

    count: int
    examples: list[str]


class Quality(TypedDict):
    """Quality of the source's files.

    Attributes:
        images, patients: counts.
        counts: {split, or "unsplit": {class: images}}, as the source has them.
        duplicates: byte-identical images.
        patients_in_several_splits: patients with images in several of the source's splits.
        patient_unknown: images of unknown patients; each of them counts as one patient.
        ignored_folders: names of folders that were ignored.
        ignored_files: number of files that were ignored.
        refused: files that cannot be used.
    """

    images: int
    patients: int
    counts: dict[str, dict[str, int]]
    duplicates: Duplicates
    patients_in_several_splits: SharedPatients
    patient_unknown: int
    ignored_folders: list[str]
    ignored_files: int
    refused: list[RefusedFile]


class QualityRecord(files.Header, Quality):
    """The content of `quality.json`: `Quality` and the origin of the images."""

    source: Source


@dataclass(frozen=True)
class RawDataset:
    """Images in uncompressed zips, with one manifest.

    On disk: `images.zip` (then `images-1.zip`, ... each up to 2 GB), `manifest.csv`, `quality.json`.

    Attributes:
        folder: of the artifact.
        manifest: one row per image, with the columns `MANIFEST_COLUMNS`: `image` (str, its path in the zip, which is
            its name in all later artifacts), `label` (str, one of `names.CLASSES`), `split` (str, "train",
            "validation", "test" or "" if the source has no splits), `patient` (str), `sha256` (str, of the original
            file), `width`, `height` (int, px). Where a DICOM file names them also columns of `names.CHARACTERISTICS`
            (str, coarse groups of patient and image, "" for unknown).
        quality: content of `quality.json`.
    """

    folder: Path
    manifest: pd.DataFrame
    quality: QualityRecord

    @classmethod
    def load(cls, folder: str | Path) -> "RawDataset":
        """Reads manifest and quality; the images are read later with `open_images`.

        Raises:
            UserError: a file is missing, damaged or of another kind.
        """
        folder = Path(folder)
        quality = cast(QualityRecord, files.read_json(folder / "quality.json", KIND))
        return cls(folder, files.read_table(folder / "manifest.csv", KIND, MANIFEST_COLUMNS), quality)

    @contextlib.contextmanager
    def open_images(self) -> Iterator["ImageReader"]:
        """Opens the zips for reading.

        Raises:
            UserError: a zip is damaged.
        """
        with contextlib.ExitStack() as stack:
            archives = []
            for path in sorted(self.folder.glob("images*.zip")):
                with files.whole(path, KIND):
                    archives.append(stack.enter_context(zipfile.ZipFile(path)))
            yield ImageReader({name: archive for archive in archives for name in archive.namelist()})


@dataclass(frozen=True)
class ImageReader:
    """Reads single images from the zips."""

    archive_of: dict[str, zipfile.ZipFile]

    def read(self, image: str) -> bytes:
        """The content of the file `image`.

        Raises:
            UserError: no zip has it, or the zip is damaged.
        """
        if image not in self.archive_of:
            raise UserError(f"{image} is in no zip of the {KIND}, so a zip is missing or damaged: run ingest again")
        archive = self.archive_of[image]
        with files.whole(Path(archive.filename or image), KIND):
            return archive.read(image)


class ImageWriter:
    """Writes images into uncompressed zips and starts a new zip before one would exceed `archive_bytes`."""

    def __init__(self, folder: Path, archive_bytes: int = ARCHIVE_BYTES):
        self._folder = folder
        self._limit = archive_bytes
        self._size = 0
        self._count = 0
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> "ImageWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive:
            self._archive.close()

    def add(self, image: str, content: bytes) -> None:
        """Writes `content` as the file `image`."""
        archive = self._archive
        if archive is None or (self._size and self._size + len(content) > self._limit):
            archive = self._begin()
        # With a fixed date, equal datasets are byte-identical.
        archive.writestr(zipfile.ZipInfo(image, date_time=(1980, 1, 1, 0, 0, 0)), content)
        self._size += len(content)

    def _begin(self) -> zipfile.ZipFile:
        if self._archive:
            self._archive.close()
        name = f"images-{self._count}.zip" if self._count else "images.zip"
        self._archive = zipfile.ZipFile(self._folder / name, "w", zipfile.ZIP_STORED)
        self._count += 1
        self._size = 0
        return self._archive


def save(folder: Path, manifest: pd.DataFrame, quality: QualityRecord) -> None:
    """Writes manifest and quality next to the zips that an `ImageWriter` wrote into `folder`."""
    known = [name for name in CHARACTERISTICS if name in manifest and manifest[name].any()]
    manifest.loc[:, [*MANIFEST_COLUMNS, *known]].to_csv(folder / "manifest.csv", index=False)
    files.write_json(folder / "quality.json", quality)


def check_refused(refused: list[RefusedFile], total: int, max_bad_fraction: float) -> None:
    """Ends the step if too many files are unusable for the dataset to be trusted.

    Args:
        refused: every refused file, as `quality.json` lists them.
        total: number of files, including the refused ones.
        max_bad_fraction: largest share of refused files.

    Raises:
        UserError: more files were refused; the message names the first ten.
    """
    if len(refused) <= max_bad_fraction * total:
        return
    named = "; ".join(f"{item['image']} ({item['reason']})" for item in refused[:_NAMED])
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    raise UserError(
        f"{len(refused)} of {total} files cannot be used, more than {100 * max_bad_fraction:g}%: {named}{more}: "
        "fix or remove them, or allow more with --max-bad-fraction"
    )
