"""What is known of a dataset's quality from names, splits and checksums."""

from typing import Any

import pandas as pd

from components.artifacts.names import CLASSES

EXAMPLES = 10
"""So many cases of each finding are named in the report."""


def describe(manifest: pd.DataFrame) -> dict[str, Any]:
    """Counts, byte-identical copies, and patients who occur in more than one split.

    Args:
        manifest: rows as in `raw_dataset.MANIFEST_COLUMNS`.

    Returns:
        `images`, `patients`, `counts`, `duplicates`, `patients_in_several_splits` as components/artifacts/README.md
        describes them.
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


def _duplicates(manifest: pd.DataFrame) -> dict[str, Any]:
    copies = manifest[manifest.duplicated("sha256", keep=False)]
    groups = copies.groupby("sha256", sort=False)
    return {
        "groups": groups.ngroups,
        "images": len(copies),
        "across_splits": int((groups["split"].nunique() > 1).sum()),
        "across_classes": int((groups["label"].nunique() > 1).sum()),
        "examples": [sorted(names) for _, names in list(groups["image"])[:EXAMPLES]],
    }


def _several(manifest: pd.DataFrame) -> dict[str, Any]:
    splits = manifest.groupby("patient")["split"].nunique()
    patients = sorted(splits.index[splits > 1])
    return {"count": len(patients), "examples": patients[:EXAMPLES]}
