"""The prepared dataset: decoded images in memory-mapped arrays. Written by preprocess."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from components.artifacts import files
from components.artifacts.dataset_summary import DatasetRecord
from components.artifacts.names import GROUPS, SPLITS
from components.console import UserError

KIND = "prepared dataset"
INDEX_COLUMNS = ("image", "label", "patient")


@dataclass(frozen=True)
class Split:
    """One split of a prepared dataset.

    Attributes:
        name: "train", "validation" or "test".
        images: uint8 (N, H, W), memory-mapped read-only.
        index: one row per image: `image` (str), `label` (int, 0 normal, 1 pneumonia), `patient` (str), and where DICOM
            files name them columns of `names.GROUPS` (str, "" for unknown).
    """

    name: str
    images: np.ndarray
    index: pd.DataFrame

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,): 0 normal, 1 pneumonia."""
        return self.index["label"].to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class PreparedDataset:
    """Three splits and their description.

    On disk: `train.npy`, `validation.npy`, `test.npy` (uint8 (N, H, W)), an index `train.csv`, ... of each, and
    `dataset.json`.

    Attributes:
        folder: of the artifact.
        info: content of `dataset.json`.
        splits: the splits by name.
    """

    folder: Path
    info: DatasetRecord
    splits: dict[str, Split]

    @classmethod
    def load(cls, folder: str | Path) -> "PreparedDataset":
        """Maps the arrays and reads the indices.

        Raises:
            UserError: a file is missing, damaged or of another kind, or an array does not match its index.
        """
        folder = Path(folder)
        info = cast(DatasetRecord, files.read_json(folder / "dataset.json", KIND))
        return cls(folder, info, {name: _load_split(folder, name) for name in SPLITS})


def _load_split(folder: Path, name: str) -> Split:
    index = files.read_table(folder / f"{name}.csv", KIND, INDEX_COLUMNS)
    with files.whole(folder / f"{name}.npy", KIND):
        images = np.load(folder / f"{name}.npy", mmap_mode="r")
    if images.dtype != np.uint8 or images.ndim != 3 or len(images) != len(index):
        raise UserError(
            f"{folder}/{name}.npy is {images.dtype} {images.shape}, but {name}.csv lists {len(index)} images: "
            "run preprocess again"
        )
    return Split(name, images, index)


def save_index(folder: Path, name: str, index: pd.DataFrame) -> None:
    """Writes the index of one split, with those of `names.GROUPS` that it has."""
    index.loc[:, [*INDEX_COLUMNS, *(name for name in GROUPS if name in index)]].to_csv(
        folder / f"{name}.csv", index=False
    )


def fingerprint(folder: Path) -> str:
    """SHA-256 over indices and pixels of all splits, by which datasets are compared.

    Args:
        folder: contains the arrays and indices of all splits.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in SPLITS:
        digest.update((folder / f"{name}.csv").read_bytes())
        images = np.load(folder / f"{name}.npy", mmap_mode="r")
        digest.update(repr(images.shape).encode())
        # Reads the file instead of the mapped array, whose pages would count as memory of this process.
        with (folder / f"{name}.npy").open("rb") as file:
            file.seek(images.offset)
            while piece := file.read(2**20):
                digest.update(piece)
    return digest.hexdigest()
