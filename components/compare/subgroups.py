"""The subgroups of a test set: kinds of pneumonia, and patients who were or were not seen in training."""

import numpy as np
import pandas as pd


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
    return found
