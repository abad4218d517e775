"""The little that `compare` needs to know of the data: counts, quality, a few example images. Written by preprocess."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import files

KIND = "prepared dataset"


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
    info: dict[str, Any]

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
        return cls(folder, files.read_json(folder / "dataset.json", KIND))


def save(folder: Path, dataset_json: Path, examples_png: bytes | None) -> None:
    """Fills `folder` with a copy of `dataset_json` and the picture, if there is one."""
    shutil.copyfile(dataset_json, folder / "dataset.json")
    if examples_png is not None:
        (folder / "examples.png").write_bytes(examples_png)
