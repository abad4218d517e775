"""What a comparison says about its data: who is in which split, what was left out. Part of `results.json`."""

from typing import TypedDict


class SeenPatients(TypedDict):
    """Test images of patients who also have images in training or validation, which makes results too optimistic.

    Attributes:
        images: number of such test images.
        pneumonia: those of them with pneumonia.
        patients: number of such patients.
    """

    images: int
    pneumonia: int
    patients: int


class DataDescription(TypedDict):
    """The part of "dataset" in `results.json` that describes the images beyond their number.

    Attributes:
        seen_in_training: test images of patients who are also in training or validation.
    """

    seen_in_training: SeenPatients
