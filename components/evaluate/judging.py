"""Everything that an evaluation says of a model, given only what the model makes of images. Knows no Keras."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from components import console
from components.artifacts import evaluation, files
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.evaluate import calibration, scoring, subgroups
from components.evaluate.robustness import changes

ROBUSTNESS_IMAGES = 1000
"""At most so many test images are scored under every change."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Takes images, uint8 (N, H, W), gives their probability of pneumonia, float64 (N,)."""


def judge(
    predict: Predict,
    data: PreparedDataset,
    training: dict[str, Any],
    target_sensitivity: float,
    batch_size: int,
    started: datetime,
    speaker: str,
    folder: Path,
    external: PreparedDataset | None = None,
    explanations: evaluation.Explanations | None = None,
) -> dict[str, Any]:
    """Scores validation and test, and every image of a second data set, and saves the evaluation.

    Thresholds and calibration are chosen on validation; nothing is chosen on test or on the second data set.

    Args:
        predict: the model; ready, so that its first call takes no longer than others.
        data: the prepared dataset.
        training: content of the model's `training.json`.
        target_sensitivity: what the threshold is to reach on validation; 0 leaves it to Youden's J.
        batch_size: images that `predict` takes at a time, for the record.
        started: when the evaluation began.
        speaker: who says the result, as in `console.say`.
        folder: new folder for the evaluation.
        external: a data set of other patients; None for none.
        explanations: where the model looked in the test images; None leaves them out.

    Returns:
        The content of `evaluation.json`.
    """
    validation, test = data.splits["validation"], data.splits["test"]
    validation_scores = predict(validation.images)
    begun = time.perf_counter()
    test_scores = predict(test.images)
    seconds = time.perf_counter() - begun

    temperature, offset = calibration.fit(validation.labels, validation_scores)
    threshold, rule = scoring.choose_threshold(validation.labels, validation_scores, target_sensitivity)
    results = files.header(evaluation.KIND, started, {"target_sensitivity": target_sensitivity}) | {
        "regime": training["regime"],
        "seed": training["seed"],
        "backbone": training["backbone"],
        "dataset": {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]},
        "threshold": {"value": threshold, "chosen_on": "validation", "rule": rule},
        "operating_points": scoring.operating_points(validation.labels, validation_scores),
        "calibration": {"temperature": temperature, "offset": offset, "fitted_on": "validation"},
        "metrics": {
            "validation": scoring.all_metrics(validation.labels, validation_scores, threshold),
            "test": scoring.all_metrics(test.labels, test_scores, threshold),
        },
        "confusion": scoring.confusion(test.labels, test_scores, threshold),
        "curves": scoring.curves(test.labels, test_scores),
        "inference": {
            "ms_per_image": 1000 * seconds / len(test),
            "images_per_second": len(test) / seconds,
            "batch_size": batch_size,
        },
        "robustness": _robustness(predict, test.images, test.labels, test_scores),
        "external": None if external is None else _described(external),
        "training": training,
    }
    earlier = [data.splits["train"], validation]
    tables = [
        subgroups.described(validation, earlier[:1]).assign(split="validation", score=validation_scores),
        subgroups.described(test, earlier).assign(split="test", score=test_scores),
    ]
    if external is not None:
        # Its patients are other people, even where names are the same.
        tables += [
            subgroups.described(split, []).assign(split="external", score=predict(split.images))
            for split in external.splits.values()
        ]
    predictions = pd.concat(tables)
    evaluation.save(folder, predictions, results, explanations)
    on_test = results["metrics"]["test"]
    console.say(
        speaker,
        f"test accuracy {on_test['accuracy']:.3f}, precision {on_test['precision']:.3f}, ROC AUC "
        f"{on_test['roc_auc']:.4f}, {results['inference']['ms_per_image']:.2g} ms an image",
    )
    return results


def load_external(folder: str | Path | None, data: PreparedDataset) -> PreparedDataset | None:
    """Reads the second data set, if one is given.

    Raises:
        UserError: it is missing, its images have another size, or it is the data set itself.
    """
    if folder is None:
        return None
    external = PreparedDataset.load(folder)
    sizes = external.info["image_size"], data.info["image_size"]
    if sizes[0] != sizes[1]:
        raise UserError(f"{folder} has images of {sizes[0]} px, but the data set of {sizes[1]} px: prepare both alike")
    if external.info["fingerprint"] == data.info["fingerprint"]:
        raise UserError(f"{folder} is the data set that the models were trained on: give images of another hospital")
    return external


def _described(external: PreparedDataset) -> dict[str, Any]:
    """What a reader has to know of the second data set; all of its splits are one."""
    index = pd.concat([split.index for split in external.splits.values()])
    return {
        "source": external.info["source"],
        "fingerprint": external.info["fingerprint"],
        "images": len(index),
        "patients": int(index["patient"].nunique()),
        "pneumonia": int(index["label"].sum()),
    }


def _robustness(predict: Predict, images: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """ROC AUC on (some of) the test images: as they are, with the scores they have already, and under each change."""
    rows = np.unique(np.linspace(0, len(images) - 1, ROBUSTNESS_IMAGES).round().astype(int))
    images, labels = images[rows], labels[rows]
    found = {"unchanged": scores[rows]}
    found |= {name: predict(change(images)) for name, change in changes().items()}
    return {name: float(roc_auc_score(labels, of)) for name, of in found.items()}
