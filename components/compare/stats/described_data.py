"""Describes the data of a comparison by counts: patients in several splits, balance of the classes, exclusions."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from components.artifacts.dataset_summary import Counts, DatasetRecord
from components.artifacts.described_data import ClassBalance, DataDescription, Flow, Refusal, SeenPatients
from components.artifacts.names import SPLITS
from components.artifacts.raw_dataset import RefusedFile
from components.compare.inputs import Inputs

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def describe(inputs: Inputs) -> DataDescription:
    """The counts that describe the data.

    Args:
        inputs: checked evaluations and dataset summary.
    """
    info = inputs.dataset.info
    recipes = [model.record["training"]["recipe"] for model in inputs.models]
    return {
        "seen_in_training": _seen(inputs.labels, inputs.patients, inputs.seen),
        "class_balance": class_balance(info["splits"], recipes),
        "flow": flow(info),
        "characteristics": info.get("characteristics", {}),
    }


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


def class_balance(splits: Mapping[str, Counts], recipes: Sequence[Mapping[str, object]]) -> ClassBalance:
    """The share of pneumonia in each split, and the weights of the classes in the training loss.

    Balanced weights are inversely proportional to the frequency of the class, with a mean of 1 over the training
    images, as in scikit-learn's `class_weight="balanced"`.

    Args:
        splits: counts of each split.
        recipes: of all trainings; the weights are given if all of them say that they are balanced.
    """
    found: ClassBalance = {
        "pneumonia_share": {name: splits[name]["pneumonia"] / splits[name]["images"] for name in SPLITS}
    }
    if recipes and all(recipe.get("class_weights") == "balanced" for recipe in recipes):
        images, pneumonia = splits["train"]["images"], splits["train"]["pneumonia"]
        found["class_weights"] = {"normal": images / (2 * (images - pneumonia)), "pneumonia": images / (2 * pneumonia)}
    return found


def flow(info: DatasetRecord) -> Flow:
    """The way from the files that were found to the images of each split.

    Args:
        info: content of `dataset.json`; its refused files are those of ingest and of preprocess.
    """
    quality, splits = info["quality"], info["splits"]
    used = sum(splits[name]["images"] for name in SPLITS)
    dropped = quality["copies"]["dropped"]
    return {
        "found": used + dropped + len(quality["refused"]),
        "refused": refusals(quality["refused"]),
        "copies_dropped": dropped,
        "used": used,
        "splits": {
            name: {
                "images": splits[name]["images"],
                "patients": splits[name]["patients"],
                "normal": splits[name]["images"] - splits[name]["pneumonia"],
                "pneumonia": splits[name]["pneumonia"],
            }
            for name in SPLITS
        },
    }


def refusals(refused: Sequence[RefusedFile]) -> list[Refusal]:
    """Groups refused files by reason, most frequent first.

    Reasons that differ in numbers only, such as the size of the image, are one group.
    """
    groups: dict[str, list[str]] = {}
    for file in refused:
        groups.setdefault(_NUMBER.sub("…", file["reason"]), []).append(file["reason"])
    found: list[Refusal] = [
        {"reason": own[0] if len(set(own)) == 1 else general, "files": len(own)} for general, own in groups.items()
    ]
    return sorted(found, key=lambda group: (-group["files"], group["reason"]))
