"""Subgroups of images: kind of pneumonia, and whether the patient was seen in training."""

import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from components.artifacts.prepared_dataset import Split

_SUBTYPE = re.compile(r"person\d+_(bacteria|virus)_", re.IGNORECASE)


def subtype_of(image: str) -> str:
    """Reads the kind of pneumonia from a file name of Kaggle's dataset: "bacteria", "virus", or "" if it has none."""
    found = _SUBTYPE.match(PurePosixPath(image).name)
    return found.group(1).lower() if found else ""


def describe(split: Split, earlier: list[Split]) -> pd.DataFrame:
    """Adds the subgroups to a split's index.

    Args:
        split: the images to describe.
        earlier: the splits on which the model was trained and selected before.

    Returns:
        The index with two more columns: `subtype` (see `subtype_of`) and `patient_seen` (1 if the patient has images in
        an earlier split, else 0).
    """
    seen: set[str] = set().union(*(other.index["patient"] for other in earlier))
    return split.index.assign(
        subtype=[subtype_of(image) for image in split.index["image"]],
        patient_seen=np.array([patient in seen for patient in split.index["patient"]], dtype=int),
    )
