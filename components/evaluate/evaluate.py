"""Scores one trained model: what it makes of images is judged in `judging`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.artifacts import files
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from components.evaluate import gradcam
from components.evaluate.judging import check_target, judge, load_external

BATCH_SIZE = 64
"""Images a step: on a CPU within a tenth of the fastest for MobileNetV2 at 96 px, and small in memory."""


def evaluate(
    dataset: str | Path,
    model: str | Path,
    output: str | Path,
    target_sensitivity: float = 0.0,
    external: str | Path | None = None,
    report_images: bool = True,
) -> dict[str, Any]:
    """Scores a model on the validation and the test split.

    The threshold is chosen on validation; nothing is chosen on test.

    Args:
        dataset: folder of the prepared dataset.
        model: folder of the trained model.
        output: the evaluation's folder, made anew.
        target_sensitivity: what the threshold is to reach on validation; 0 leaves it to Youden's J.
        external: folder of a second prepared dataset, all of whose images are scored too.
        report_images: keep small test images, and where the model looked in them, for the report.

    Returns:
        The content of `evaluation.json`.

    Raises:
        UserError: dataset or model are missing, or do not fit each other, or the sensitivity is none.
    """
    started = files.now()
    check_target(target_sensitivity)
    data = PreparedDataset.load(dataset)
    second = load_external(external, data)
    trained = TrainedModel.load(model)
    training = trained.training
    if training["dataset"]["image_size"] != data.info["image_size"]:
        raise UserError(
            f"the model takes images of {training['dataset']['image_size']} px, but {dataset} has "
            f"{data.info['image_size']} px: prepare the dataset with that image size"
        )
    network = keras.models.load_model(trained.model_file, compile=False)
    _scores(network, data.splits["test"].images[:BATCH_SIZE])  # compiles, so that it does not count as inference time
    return judge(
        lambda images: _scores(network, images),
        data,
        training,
        target_sensitivity,
        BATCH_SIZE,
        started,
        output,
        second,
        gradcam.explain(network, data.splits["test"].images) if report_images else None,
    )


def _scores(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Probability of pneumonia of each image, float64 (N,)."""
    parts = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        # The last batch is filled up, so that the backend compiles for one shape only.
        padded = batch[np.arange(BATCH_SIZE).clip(max=len(batch) - 1)]
        parts.append(network.predict_on_batch(padded[..., None])[: len(batch), 0])
    return np.concatenate(parts).astype(np.float64)
