"""Sources of datasets: each puts a folder of images in a supported layout on disk.

To add a source, write a class with `name`, `description()` and `fetch()`, and add it to `open_source` and to
`components.source_checks`.
"""

from pathlib import Path
from typing import Protocol

from components.ingest.sources.buckets import Bucket
from components.ingest.sources.directory import Directory
from components.ingest.sources.kaggle import Kaggle
from components.ingest.sources.pneumoniamnist import PneumoniaMnist
from components.ingest.sources.simulated import Synthetic
from components.ingest.sources.web import Web
from components.parameters import IngestParameters
from components.source_checks import DEFAULT_KAGGLE_DATASET, check_source


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


def open_source(parameters: IngestParameters) -> Source:
    """Creates the source that the parameters name.

    Args:
        parameters: of ingest.

    Raises:
        UserError: the source is unknown, or a required argument is missing.
    """
    source, path = parameters.source, parameters.path
    check_source(source, path, parameters.sha256)
    if source.startswith(("https://", "http://")):
        return Web(source, f"sha256:{parameters.sha256.lower()}" if parameters.sha256 else "")
    if source.startswith(("gs://", "s3://")):
        return Bucket.of(source)
    if source == "directory":
        return Directory(Path(path))
    if source == "kaggle":
        return Kaggle.of(path or DEFAULT_KAGGLE_DATASET)
    if source == "pneumoniamnist":
        return PneumoniaMnist(parameters.pneumoniamnist_size, Path(path) if path else None)
    return Synthetic(
        parameters.synthetic_images, parameters.synthetic_size, parameters.seed, parameters.synthetic_difficulty
    )
