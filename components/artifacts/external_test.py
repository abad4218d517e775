"""The external test set: a second prepared dataset, of other patients, all of whose images are scored."""

from pathlib import Path

import pandas as pd

from components.artifacts.evaluation import ExternalTestSet
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError


def load(folder: str | Path | None, data: PreparedDataset) -> PreparedDataset | None:
    """Loads the external test set, if one is given.

    Args:
        folder: of it; None for none.
        data: what the models are trained on.

    Raises:
        UserError: it is missing, its images have another size, or it is the dataset itself.
    """
    if folder is None:
        return None
    external = PreparedDataset.load(folder)
    sizes = external.info["image_size"], data.info["image_size"]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"{folder} has images of {sizes[0]} px, but the dataset has {sizes[1]} px: prepare both with one size"
        )
    if external.info["fingerprint"] == data.info["fingerprint"]:
        raise UserError(f"{folder} is the dataset that the models were trained on: give images of another hospital")
    return external


def described(external: PreparedDataset) -> ExternalTestSet:
    """Describes the external test set, all splits together."""
    index = pd.concat([split.index for split in external.splits.values()])
    return {
        "source": external.info["source"],
        "fingerprint": external.info["fingerprint"],
        "images": len(index),
        "patients": int(index["patient"].nunique()),
        "pneumonia": int(index["label"].sum()),
    }
