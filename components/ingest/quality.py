"""Quality of a dataset by its names, splits and checksums."""

from typing import TypedDict

import pandas as pd

from components.artifacts.names import CLASSES
from components.artifacts.raw_dataset import Duplicates, SharedPatients

EXAMPLES = 10
"""Number of examples of each finding in the report."""


class Description(TypedDict):
    """The part of `raw_dataset.Quality` that follows from the manifest; see there."""

    images: int
    patients: int
    counts: dict[str, dict[str, int]]
    duplicates: Duplicates
    patients_in_several_splits: SharedPatients


def describe(manifest: pd.DataFrame) -> Description:
    """Counts images, byte-identical copies, and patients with images in more than one split.

    Args:
        manifest: rows as in `raw_dataset.MANIFEST_COLUMNS`.
    """
    splits = [split for split in ("train", "validation", "test", "") if (manifest["split"] == split).any()]
    return {
        "images": len(manifest),
        "patients": int(manifest["patient"].nunique()),
        "counts": {
            split or "unsplit": {
                label: int(((manifest["split"] == split) & (manifest["label"] == label)).sum()) for label in CLASSES
            }
            for split in splits
        },
        "duplicates": _duplicates(manifest),
        "patients_in_several_splits": _several(manifest),
    }


def _duplicates(manifest: pd.DataFrame) -> Duplicates:
    copies = manifest[manifest.duplicated("sha256", keep=False)]
    groups = copies.groupby("sha256", sort=False)
    return {
        "groups": groups.ngroups,
        "images": len(copies),
        "across_splits": int((groups["split"].nunique() > 1).sum()),
        "across_classes": int((groups["label"].nunique() > 1).sum()),
        "examples": [sorted(names) for _, names in list(groups["image"])[:EXAMPLES]],
    }


def _several(manifest: pd.DataFrame) -> SharedPatients:
    splits = manifest.groupby("patient")["split"].nunique()
    patients = sorted(splits.index[splits > 1])
    return {"count": len(patients), "examples": patients[:EXAMPLES]}
