"""To which subgroup an image belongs: kind of pneumonia, and whether its patient was seen while training."""

import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from components.artifacts.prepared_dataset import Split

_SUBTYPE = re.compile(r"person\d+_(bacteria|virus)_", re.IGNORECASE)


def subtype_of(image: str) -> str:
    """The kind of pneumonia that a name in Kaggle's manner tells: "bacteria", "virus", or "" where it tells none."""
    found = _SUBTYPE.match(PurePosixPath(image).name)
    return found.group(1).lower() if found else ""


def described(split: Split, earlier: list[Split]) -> pd.DataFrame:
    """The split's index with two columns more.

    Args:
        split: whose images are described.
        earlier: the splits that the model was trained and chosen on.

    Returns:
        The index with `subtype` (see `subtype_of`) and `patient_seen` (1 where a patient of this name is in an earlier
        split, else 0).
    """
    seen: set[str] = set().union(*(other.index["patient"] for other in earlier))
    return split.index.assign(
        subtype=[subtype_of(image) for image in split.index["image"]],
        patient_seen=np.array([patient in seen for patient in split.index["patient"]], dtype=int),
    )
