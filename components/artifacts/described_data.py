"""What a comparison says about its data: who is in which split, what was left out. Part of `results.json`."""

from typing import NotRequired, TypedDict

from components.artifacts.dataset_summary import Characteristics


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


class ClassWeights(TypedDict):
    """Weights of the classes in the loss."""

    normal: float
    pneumonia: float


class ClassBalance(TypedDict):
    """The balance of the classes.

    Attributes:
        pneumonia_share: {split: fraction of its images that show pneumonia}.
        class_weights: of the training loss; missing if the trainings do not say how they weighted the classes.
    """

    pneumonia_share: dict[str, float]
    class_weights: NotRequired[ClassWeights]


class Refusal(TypedDict):
    """A reason for refusing files, and the number of files refused for it; "…" stands for numbers that differ."""

    reason: str
    files: int


class SplitFlow(TypedDict):
    """What has become of a part of the images: counts of a split; `normal` and `pneumonia` are of images."""

    images: int
    patients: int
    normal: int
    pneumonia: int


class Flow(TypedDict):
    """The way from files to splits, for a flow diagram.

    Attributes:
        found: image files in the source, without ignored folders and hidden files.
        refused: why files could not be used, most frequent first.
        copies_dropped: images left out because they are copies of others.
        used: images in all splits.
        splits: by name.
    """

    found: int
    refused: list[Refusal]
    copies_dropped: int
    used: int
    splits: dict[str, SplitFlow]


class DataDescription(TypedDict):
    """The part of "dataset" in `results.json` that describes the images beyond their number.

    Attributes:
        seen_in_training: test images of patients who are also in training or validation.
        class_balance: shares and weights of the classes.
        flow: from files to splits.
        characteristics: {characteristic: {group: {split: number}}}, see `dataset_summary.Characteristics`; empty where
            no DICOM file names any.
    """

    seen_in_training: SeenPatients
    class_balance: ClassBalance
    flow: Flow
    characteristics: Characteristics
