"""Sources of datasets: each puts a folder of images in a supported layout on disk.

To add a source, write a class with `name`, `description()` and `fetch()`, and add it to `open_source`.
"""

import re
from pathlib import Path
from typing import Protocol

from components.artifacts.names import SOURCE_URLS, SOURCES
from components.console import UserError
from components.ingest.sources.buckets import Bucket
from components.ingest.sources.directory import Directory
from components.ingest.sources.kaggle import DEFAULT_DATASET, Kaggle
from components.ingest.sources.pneumoniamnist import CHECKSUMS, PneumoniaMnist
from components.ingest.sources.simulated import Synthetic
from components.ingest.sources.web import Web
from components.ingest.urls import check_url


class Source(Protocol):
    """The origin of a dataset."""

    @property
    def name(self) -> str:
        """Name in the report."""

    def description(self) -> str:
        """Description of the data for the report, one phrase."""

    def fetch(self, workspace: Path) -> Path:
        """Makes the images available as files.

        Args:
            workspace: an empty temporary folder, removed afterwards.

        Returns:
            A folder in one of the layouts of `layout.find_images`, in the workspace or elsewhere, or a table of paths
            and labels, see `labels.read_labels`.

        Raises:
            UserError: the source is not available.
        """


def open_source(
    source: str,
    path: str = "",
    sha256: str = "",
    pneumoniamnist_size: int = 128,
    images: int = 1200,
    size: int = 160,
    seed: int = 1,
    difficulty: float = 0.5,
) -> Source:
    """Creates the source of a name.

    Args:
        source: one of `names.SOURCES`, or a URL that begins with one of `names.SOURCE_URLS`.
        path: location of the data, for sources that need one; the dataset's id for Kaggle.
        sha256: of the archive behind an https URL; "" does not check it.
        pneumoniamnist_size: side of PneumoniaMNIST's images in px: 28, 64, 128 or 224.
        images: number of simulated radiographs.
        size: their approximate size in px.
        seed: of the simulation.
        difficulty: of the simulation, 0 to 1.

    Raises:
        UserError: the source is unknown, or a required argument is missing.
    """
    checksum = _checksum(sha256, source)
    if path and (source == "synthetic" or source.startswith(("https://", "http://", *SOURCE_URLS))):
        raise UserError(f"the source {source!r} takes no path: give --source directory with --path, or leave that out")
    if source.startswith(("https://", "http://")):
        check_url(source)
        return Web(source, checksum)
    if source.startswith(("gs://", "s3://")):
        return Bucket.of(source)
    if source == "synthetic":
        return Synthetic(images, size, seed, difficulty)
    if source == "directory":
        if not path:
            raise UserError("the source directory needs a folder: give it with --path")
        return Directory(Path(path))
    if source == "kaggle":
        return Kaggle.of(path or DEFAULT_DATASET)
    if source == "pneumoniamnist":
        if not path and pneumoniamnist_size not in CHECKSUMS:
            sizes = ", ".join(map(str, CHECKSUMS))
            raise UserError(f"there is no PneumoniaMNIST at {pneumoniamnist_size} px: choose one of {sizes}")
        return PneumoniaMnist(pneumoniamnist_size, Path(path) if path else None)
    raise UserError(f"there is no source {source!r}: choose one of {', '.join((*SOURCES, *SOURCE_URLS))}")


def is_pinned(source: str, path: str = "", sha256: str = "") -> bool:
    """Whether a source always gives the same images for the same arguments of `open_source`.

    That holds for simulated radiographs, and for data that are verified by a checksum.
    """
    checked = source.startswith("https://") and bool(sha256)
    return source == "synthetic" or checked or (source == "pneumoniamnist" and not path)


def _checksum(sha256: str, source: str) -> str:
    """The checksum in the notation of `downloads.download`."""
    if not sha256:
        return ""
    if not source.startswith(("https://", "http://")):
        raise UserError("--sha256 is of the archive behind an https:// source: leave it out for others")
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"{sha256!r} is not a SHA-256: give its 64 hexadecimal digits")
    return f"sha256:{sha256.lower()}"
