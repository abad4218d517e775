"""Where datasets come from. A source has one job: to put a folder of images, in a layout that is understood, on disk.

To add a source, write a class with `name`, `description()` and `fetch()`, and give it a line in `open_source`.
"""

import re
from pathlib import Path
from typing import Protocol

from components.artifacts.names import SOURCE_URLS, SOURCES
from components.console import UserError
from components.ingest.downloads import check_url
from components.ingest.sources.buckets import Bucket
from components.ingest.sources.directory import Directory
from components.ingest.sources.kaggle import DEFAULT_DATASET, Kaggle
from components.ingest.sources.pneumoniamnist import PneumoniaMnist
from components.ingest.sources.simulated import Synthetic
from components.ingest.sources.web import Web
from components.parameters import IngestParameters


class Source(Protocol):
    """A place that a dataset comes from."""

    name: str

    def description(self) -> str:
        """One sentence for the report: what the data are."""

    def fetch(self, workspace: Path) -> Path:
        """Makes the images available as files.

        Args:
            workspace: an empty folder that may be filled; it is removed afterwards.

        Returns:
            A folder in one of the layouts of `layout.find_images`, in the workspace or elsewhere; or a table of paths
            and labels, see `labels.read_labels`.

        Raises:
            UserError: the source cannot be had.
        """


def open_source(parameters: IngestParameters) -> Source:
    """The source that parameters name.

    Args:
        parameters: of ingest.

    Raises:
        UserError: there is no such source, or what it needs is missing.
    """
    source, path = parameters.source, parameters.path
    checksum = _checksum(parameters.sha256, source)
    if path and (source == "synthetic" or source.startswith(("https://", "http://", *SOURCE_URLS))):
        raise UserError(f"the source {source!r} takes no path: give --source directory with --path, or leave that out")
    if source.startswith(("https://", "http://")):
        check_url(source)
        return Web(source, checksum)
    if source.startswith(("gs://", "s3://")):
        return Bucket.of(source)
    if source == "synthetic":
        return Synthetic(
            parameters.synthetic_images,
            parameters.synthetic_size,
            parameters.seed,
            parameters.synthetic_difficulty,
        )
    if source == "directory":
        if not path:
            raise UserError("the source directory needs a folder: give it with --path")
        return Directory(Path(path))
    if source == "kaggle":
        return Kaggle.of(path or DEFAULT_DATASET)
    if source == "pneumoniamnist":
        return PneumoniaMnist(parameters.pneumoniamnist_size, Path(path) if path else None)
    raise UserError(f"there is no source {source!r}: choose one of {', '.join((*SOURCES, *SOURCE_URLS))}")


def is_pinned(source: str, path: str = "", sha256: str = "") -> bool:
    """Whether a source can never give other images for the same parameters.

    That holds for simulated radiographs, and for what is compared with a checksum.
    """
    checked = source.startswith("https://") and bool(sha256)
    return source == "synthetic" or checked or (source == "pneumoniamnist" and not path)


def _checksum(sha256: str, source: str) -> str:
    """The checksum as `downloads` wants it."""
    if not sha256:
        return ""
    if not source.startswith(("https://", "http://")):
        raise UserError("--sha256 is of the archive behind an https:// source: leave it out for others")
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"{sha256!r} is no SHA-256: give its 64 hexadecimal digits")
    return f"sha256:{sha256.lower()}"
