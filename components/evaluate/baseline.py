"""The baseline: a logistic regression on thumbnails, which networks have to beat to be worth their cost."""

import pickle
import time
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression

from components import console, machine
from components.artifacts import evaluation, external_test, files
from components.artifacts.evaluation import EvaluationRecord
from components.artifacts.names import BASELINE
from components.artifacts.prepared_dataset import PreparedDataset, Split
from components.artifacts.trained_model import TrainingRecord
from components.evaluate.results import evaluate_model
from components.parameters import BaselineParameters

SIDE = 24
"""Height and width of a thumbnail in px."""

PENALTY = 1.0
"""Inverse of the regularisation strength: scikit-learn's default, so that nothing has to be tuned."""


def evaluate_floor(
    dataset: str | Path, output: str | Path, parameters: BaselineParameters, external: str | Path | None = None
) -> EvaluationRecord:
    """Fits the baseline on the training split and evaluates it like a trained network.

    Args:
        dataset: folder of the prepared dataset.
        output: folder of the evaluation, made anew.
        parameters: how the threshold is chosen.
        external: folder of a second prepared dataset, all of whose images are scored too.

    Returns:
        The content of `evaluation.json`; its regime is `names.BASELINE`.

    Raises:
        UserError: the dataset is missing.
    """
    started = files.now()
    data = PreparedDataset.load(dataset)
    elsewhere = external_test.load(external, data)
    train = data.splits["train"]
    begun = time.perf_counter()
    model = _fit(train)
    seconds = time.perf_counter() - begun
    speaker = f"evaluate {BASELINE}"
    console.say(speaker, f"fitted to {len(train)} thumbnails of {SIDE} x {SIDE} px in {seconds:.1f} s")
    training = _training_record(model, data, started, seconds)
    with files.new_folder(output) as folder:
        record = evaluate_model(
            lambda images: _scores(model, images),
            data,
            training,
            parameters.target_sensitivity,
            batch_size=1,
            started=started,
            speaker=speaker,
            folder=files.seed_folder(folder, training["seed"]),
            external=elsewhere,
        )
        evaluation.save_index(folder, [record])
    return record


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Averages images over equal areas: uint8 (N, H, W) to float64 (N, SIDE * SIDE) in [0, 1]."""
    small = np.empty((len(images), SIDE * SIDE))
    for row, image in zip(small, images, strict=True):
        row[:] = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    return small / 255


def _fit(train: Split) -> LogisticRegression:
    # Newton's method converges to the exact minimum, so scores are the same on every machine.
    model = LogisticRegression(C=PENALTY, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
    return model.fit(thumbnails(train.images), train.labels)


def _scores(model: LogisticRegression, images: np.ndarray) -> np.ndarray:
    return model.predict_proba(thumbnails(images))[:, 1]


def _training_record(
    model: LogisticRegression, data: PreparedDataset, started: datetime, seconds: float
) -> TrainingRecord:
    """The training record of the baseline, in the format of `training.json`."""
    parameters = model.coef_.size + model.intercept_.size
    return {
        **files.header("trained model", started, {}),
        "regime": BASELINE,
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
