"""Describes the data of a comparison by counts: patients in several splits, exclusions, balance of the classes."""

import numpy as np

from components.artifacts.described_data import DataDescription, SeenPatients
from components.compare.inputs import Inputs


def describe(inputs: Inputs) -> DataDescription:
    """The counts that describe the data.

    Args:
        inputs: checked evaluations and dataset summary.
    """
    return {"seen_in_training": _seen(inputs.labels, inputs.patients, inputs.seen)}


def _seen(labels: np.ndarray, patients: np.ndarray, seen: np.ndarray) -> SeenPatients:
    """Counts the test images of patients who are also in training or validation.

    Args:
        labels: int64 (N,), 0 normal, 1 pneumonia.
        patients: str (N,), patient of each test image.
        seen: bool (N,), whether the patient has images in training or validation.
    """
    return {
        "images": int(seen.sum()),
        "pneumonia": int(labels[seen].sum()),
        "patients": len(set(patients[seen])),
    }
