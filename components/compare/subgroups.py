"""The subgroups of a test set: kinds of pneumonia, patients seen in training or not, sex, age and view."""

import numpy as np
import pandas as pd

from components.artifacts.names import AGE_BANDS, GROUPS

FEWEST_IMAGES = 20
"""Groups named by DICOM files are subgroups only with so many test images of each class: results of fewer say
little, and could be personal."""

FEWEST_REST = 5
"""If fewer images are left over, the smallest subgroup is not shown."""


def seen(table: pd.DataFrame) -> np.ndarray:
    """Whether the patient of each test image also has images in training or validation, bool (N,)."""
    return (table["patient_seen"] == 1).to_numpy()


def subgroups(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The subgroups of this test set that are neither empty nor all of it.

    The subgroup of a kind of pneumonia consists of its images and all normal ones.

    Args:
        table: the test predictions, with the columns `evaluation.PREDICTION_COLUMNS`.

    Returns:
        {name: (N,) bool}.
    """
    normal, known = (table["label"] == 0).to_numpy(), seen(table)
    kinds = {kind: (table["subtype"] == kind).to_numpy() for kind in ("bacteria", "virus")}
    found = {kind: rows | normal for kind, rows in kinds.items() if rows.any()}
    if known.any() and not known.all():
        found |= {"patient seen in training": known, "patient new": ~known}
    return found | _named_by_files(table)


def _named_by_files(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The subgroups of sex, age and view with enough images of both classes, for example "sex female"."""
    found: dict[str, np.ndarray] = {}
    for name in (name for name in GROUPS if name in table):
        own = {}
        for value in sorted(set(table[name]) - {""}, key=lambda value: (_place(value), value)):
            rows = (table[name] == value).to_numpy()
            counts = np.bincount(table.loc[rows, "label"].astype(int), minlength=2)
            if counts.min() >= FEWEST_IMAGES and not rows.all():
                own[f"{name} {value}"] = rows
        # The size of a small rest would follow from the sizes of the others.
        while own and 0 < len(table) - sum(rows.sum() for rows in own.values()) < FEWEST_REST:
            del own[min(own, key=lambda group: own[group].sum())]
        found |= own
    return found


def _place(value: str) -> int:
    return AGE_BANDS.index(value) if value in AGE_BANDS else 0
