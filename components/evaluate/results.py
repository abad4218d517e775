"""The results of one model: everything that follows from its predictions. Does not import Keras."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components import console
from components.artifacts import evaluation, external_test, files
from components.artifacts.evaluation import EvaluationRecord
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import TrainingRecord
from components.evaluate import calibration, robustness, scoring, subgroups
from components.roc_auc import covariance_of_areas

Predict = Callable[[np.ndarray], np.ndarray]
"""Takes images, uint8 (N, H, W); returns their probabilities of pneumonia, float64 (N,)."""


def evaluate_model(
    predict: Predict,
    data: PreparedDataset,
    training: TrainingRecord,
    target_sensitivity: float,
    *,
    batch_size: int,
    started: datetime,
    speaker: str,
    folder: Path,
    external: PreparedDataset | None = None,
    explanations: evaluation.Explanations | None = None,
) -> EvaluationRecord:
    """Scores the validation split, the test split and the external test set, and saves the evaluation.

    Threshold and calibration are chosen on the validation split; nothing is chosen on test images.

    Args:
        predict: the model, already compiled, so that the first call takes no longer than others.
        data: the prepared dataset.
        training: content of the model's `training.json`.
        target_sensitivity: sensitivity that the threshold must reach on validation; 0 maximises Youden's J instead.
        batch_size: number of images that `predict` processes at a time, for the record.
        started: start of the evaluation.
        speaker: prefix of the progress message, as in `console.say`.
        folder: new folder for the evaluation.
        external: the external test set; None for none.
        explanations: Grad-CAM maps of the test images; None for none.

    Returns:
        The content of `evaluation.json`.
    """
    validation_scores = predict(data.splits["validation"].images)
    begun = time.perf_counter()
    test_scores = predict(data.splits["test"].images)
    seconds = time.perf_counter() - begun

    record = _record(data, training, validation_scores, test_scores, target_sensitivity, started)
    count = len(data.splits["test"])
    record["inference"] = {
        "ms_per_image": 1000 * seconds / count,
        "images_per_second": count / seconds,
        "batch_size": batch_size,
    }
    record.update(_robustness(predict, data, test_scores))  # type: ignore[typeddict-item]  # its three keys
    record["external"] = None if external is None else external_test.described(external)
    record["training"] = training
    predictions = _predictions(data, validation_scores, test_scores)
    if external is not None:
        predictions = pd.concat([predictions, *_external_predictions(predict, external)])
    evaluation.save(folder, predictions, record, explanations)
    on_test = record["metrics"]["test"]
    console.say(
        speaker,
        f"test accuracy {on_test['accuracy']:.3f}, precision {on_test['precision']:.3f}, ROC AUC "
        f"{on_test['roc_auc']:.4f}, {record['inference']['ms_per_image']:.2g} ms per image",
    )
    return record


def _record(
    data: PreparedDataset,
    training: TrainingRecord,
    validation_scores: np.ndarray,
    test_scores: np.ndarray,
    target_sensitivity: float,
    started: datetime,
) -> EvaluationRecord:
    """The record without inference speed, robustness, external test set and training."""
    validation, test = data.splits["validation"].labels, data.splits["test"].labels
    temperature, offset = calibration.fit(validation, validation_scores)
    threshold, rule = scoring.choose_threshold(validation, validation_scores, target_sensitivity)
    return {  # type: ignore[typeddict-item]  # evaluate_model adds the other keys
        **files.header(evaluation.KIND, started, {"target_sensitivity": target_sensitivity}),
        "regime": training["regime"],
        "seed": training["seed"],
        "backbone": training["backbone"],
        "dataset": {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]},
        "threshold": {"value": threshold, "chosen_on": "validation", "rule": rule},
        "operating_points": scoring.operating_points(validation, validation_scores),
        "calibration": {"temperature": temperature, "offset": offset, "fitted_on": "validation"},
        "metrics": {
            "validation": scoring.all_metrics(validation, validation_scores, threshold),
            "test": scoring.all_metrics(test, test_scores, threshold),
        },
        "confusion": scoring.confusion(test, test_scores, threshold),
        "curves": scoring.curves(test, test_scores),
    }


def _predictions(data: PreparedDataset, validation_scores: np.ndarray, test_scores: np.ndarray) -> pd.DataFrame:
    """The rows of `predictions.csv` for the validation and the test split."""
    train, validation, test = (data.splits[name] for name in ("train", "validation", "test"))
    return pd.concat(
        [
            subgroups.describe(validation, [train]).assign(split="validation", score=validation_scores),
            subgroups.describe(test, [train, validation]).assign(split="test", score=test_scores),
        ]
    )


def _external_predictions(predict: Predict, external: PreparedDataset) -> list[pd.DataFrame]:
    """The rows of `predictions.csv` for the external test set, one table for each of its splits.

    Its patients count as unseen even if their names occur in the training data: they are from another hospital.
    """
    return [
        subgroups.describe(split, []).assign(split="external", score=predict(split.images))
        for split in external.splits.values()
    ]


def _robustness(predict: Predict, data: PreparedDataset, test_scores: np.ndarray) -> dict[str, Any]:
    """ROC AUC on a sample of the test images, unchanged and under each change, as the record has it."""
    test = data.splits["test"]
    rows = robustness.sample(test.labels)
    images, labels = test.images[rows], test.labels[rows]
    scores = {"unchanged": test_scores[rows]}
    scores |= {name: predict(change(images)) for name, change in robustness.changes().items()}
    patients = test.index["patient"].to_numpy(str)[rows]
    areas, covariance = covariance_of_areas(labels, patients, np.stack(list(scores.values())))
    variance = covariance.diagonal() + covariance[0, 0] - 2 * covariance[0]  # of the differences to unchanged images
    errors = np.sqrt(np.maximum(variance, 0))
    return {
        "robustness": dict(zip(scores, areas.tolist(), strict=True)),
        "robustness_errors": dict(zip(scores, errors.tolist(), strict=True)),
        "robustness_images": len(rows),
    }
