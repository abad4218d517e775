"""Scores one trained model: predictions, threshold, metrics, speed, robustness. Read `evaluate` from top to bottom."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from components import console
from components.artifacts import evaluation, files
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from components.evaluate import scoring
from components.evaluate.robustness import changes

BATCH_SIZE = 64
"""Images a step: on a CPU within a tenth of the fastest for MobileNetV2 at 96 px, and small in memory."""

ROBUSTNESS_IMAGES = 1000
"""At most so many test images are scored under every change."""


def evaluate(dataset: str | Path, model: str | Path, output: str | Path) -> dict[str, Any]:
    """Scores a model on the validation and the test split.

    The threshold is chosen on validation; nothing is chosen on test.

    Args:
        dataset: folder of the prepared dataset.
        model: folder of the trained model.
        output: the evaluation's folder, made anew.

    Returns:
        The content of `evaluation.json`.

    Raises:
        UserError: dataset or model are missing, or do not fit each other.
    """
    started = files.now()
    data = PreparedDataset.load(dataset)
    trained = TrainedModel.load(model)
    training = trained.training
    if training["dataset"]["image_size"] != data.info["image_size"]:
        raise UserError(
            f"the model takes images of {training['dataset']['image_size']} px, but {dataset} has "
            f"{data.info['image_size']} px: prepare the dataset with that image size"
        )
    network = keras.models.load_model(trained.model_file, compile=False)
    validation, test = data.splits["validation"], data.splits["test"]
    _scores(network, test.images[:BATCH_SIZE])  # compiles, so that it does not count as inference time
    validation_scores = _scores(network, validation.images)
    begun = time.perf_counter()
    test_scores = _scores(network, test.images)
    seconds = time.perf_counter() - begun

    threshold = scoring.choose_threshold(validation.labels, validation_scores)
    results = files.header(evaluation.KIND, started, {}) | {
        "regime": training["regime"],
        "seed": training["seed"],
        "backbone": training["backbone"],
        "dataset": {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]},
        "threshold": {"value": threshold, "chosen_on": "validation"},
        "metrics": {
            "validation": scoring.all_metrics(validation.labels, validation_scores, threshold),
            "test": scoring.all_metrics(test.labels, test_scores, threshold),
        },
        "confusion": scoring.confusion(test.labels, test_scores, threshold),
        "curves": scoring.curves(test.labels, test_scores),
        "inference": {
            "ms_per_image": 1000 * seconds / len(test),
            "images_per_second": len(test) / seconds,
            "batch_size": BATCH_SIZE,
        },
        "robustness": _robustness(network, test.images, test.labels, test_scores),
        "training": training,
    }
    predictions = pd.concat(
        [
            split.index.assign(split=split.name, score=scores)
            for split, scores in ((validation, validation_scores), (test, test_scores))
        ]
    )
    with files.new_folder(output) as folder:
        evaluation.save(folder, predictions, results)
    on_test = results["metrics"]["test"]
    console.say(
        f"evaluate {training['regime']}",
        f"test accuracy {on_test['accuracy']:.3f}, precision {on_test['precision']:.3f}, ROC AUC "
        f"{on_test['roc_auc']:.4f}, {results['inference']['ms_per_image']:.1f} ms an image",
    )
    return results


def _scores(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Probability of pneumonia of each image, float64 (N,)."""
    parts = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        # The last batch is filled up, so that the backend compiles for one shape only.
        padded = batch[np.arange(BATCH_SIZE).clip(max=len(batch) - 1)]
        parts.append(network.predict_on_batch(padded[..., None])[: len(batch), 0])
    return np.concatenate(parts).astype(np.float64)


def _robustness(network: keras.Model, images: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """ROC AUC on (some of) the test images: as they are, with the scores they have already, and under each change."""
    rows = np.unique(np.linspace(0, len(images) - 1, ROBUSTNESS_IMAGES).round().astype(int))
    images, labels = images[rows], labels[rows]
    found = {"unchanged": scores[rows]}
    found |= {name: _scores(network, change(images)) for name, change in changes().items()}
    return {name: float(roc_auc_score(labels, of)) for name, of in found.items()}
