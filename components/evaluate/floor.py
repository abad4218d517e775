"""The floor that networks have to beat: a logistic regression on thumbnails, fitted in seconds on a processor."""

import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression

from components import console, machine
from components.artifacts import evaluation, files
from components.artifacts.names import FLOOR
from components.artifacts.prepared_dataset import PreparedDataset, Split
from components.evaluate.judging import judge, load_external
from components.parameters import BaselineParameters

SIDE = 24
"""Height and width of a thumbnail in px."""

PENALTY = 1.0
"""Inverse strength of the penalty on large weights: scikit-learn's default, so that nothing is chosen."""


def evaluate_floor(
    dataset: str | Path, output: str | Path, parameters: BaselineParameters, external: str | Path | None = None
) -> dict[str, Any]:
    """Fits the floor on the training split and scores it as every regime is scored.

    Args:
        dataset: folder of the prepared dataset.
        output: folder of the evaluation, made anew.
        parameters: how the threshold is chosen.
        external: folder of a second prepared dataset, all of whose images are scored too.

    Returns:
        The content of `evaluation.json`; its regime is `names.FLOOR`.

    Raises:
        UserError: the dataset is missing.
    """
    started = files.now()
    data = PreparedDataset.load(dataset)
    second = load_external(external, data)
    train = data.splits["train"]
    begun = time.perf_counter()
    model = _fit(train)
    seconds = time.perf_counter() - begun
    speaker = f"evaluate {FLOOR}"
    console.say(speaker, f"fitted to {len(train)} thumbnails of {SIDE} x {SIDE} px in {seconds:.1f} s")
    training = _story(model, data, started, seconds)
    with files.new_folder(output) as folder:
        own = files.seed_folder(folder, training["seed"])
        results = judge(
            lambda images: _scores(model, images),
            data,
            training,
            parameters.target_sensitivity,
            1,
            started,
            speaker,
            own,
            second,
        )
        evaluation.save_index(folder, [results])
    return results


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Means over equal areas: uint8 (N, H, W) to float64 (N, SIDE * SIDE) from 0 to 1."""
    small = np.empty((len(images), SIDE * SIDE))
    for row, image in zip(small, images, strict=True):
        row[:] = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    return small / 255


def _fit(train: Split) -> LogisticRegression:
    # Newton's method ends at the very minimum: the same scores on every machine.
    model = LogisticRegression(C=PENALTY, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
    return model.fit(thumbnails(train.images), train.labels)


def _scores(model: LogisticRegression, images: np.ndarray) -> np.ndarray:
    return model.predict_proba(thumbnails(images))[:, 1]


def _story(model: LogisticRegression, data: PreparedDataset, started: Any, seconds: float) -> dict[str, Any]:
    """What `training.json` would say of it."""
    parameters = model.coef_.size + model.intercept_.size
    return files.header("trained model", started, {}) | {
        "regime": FLOOR,
        "seed": 0,
        "backbone": None,
        "recipe": {"thumbnail": SIDE, "penalty": PENALTY, "class_weights": "balanced"},
        "history": [],
        "best_epoch": None,
        "cost": {
            "train_seconds": seconds,
            "epochs": int(model.n_iter_[0]),
            "images_per_second": len(data.splits["train"]) / seconds,
            "peak_memory_mb": machine.peak_memory_mb(),
            "peak_gpu_memory_mb": None,
            "parameters": parameters,
            "trainable_parameters": parameters,
            "model_mb": len(pickle.dumps(model)) / 1e6,
        },
        "hardware": None,
        "dataset": {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]},
    }
