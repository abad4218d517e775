"""Trains a backbone to classify pictures by their formula; resumes after interruptions."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import keras
import numpy as np

from components import console
from components.artifacts import files
from components.train import backbones, device, networks
from components.train.backbones import Backbone

MOMENTUM, WEIGHT_DECAY, WARM_UP = 0.9, 1e-4, 100
"""Settings of stochastic gradient descent; the learning rate rises for `WARM_UP` steps and then falls as a cosine."""

STATISTICS = 0.97
"""Momentum of the statistics of batch normalisation; with Keras's 0.999 they would average over a thousand steps."""

SCORED = 100
"""Pictures per inference step."""


class Epoch(TypedDict):
    """An epoch of pre-training.

    Attributes:
        epoch: counted from 1.
        train_loss: mean cross-entropy (nats) of the steps.
        held_out_accuracy: accuracy on the held-out pictures.
        seconds: duration.
    """

    epoch: int
    train_loss: float
    held_out_accuracy: float
    seconds: float


def train(folder: Path, pictures: np.ndarray, held_out: int, recipe: dict[str, Any]) -> dict[str, Any]:
    """Trains with a checkpoint after each epoch, and writes `weights.npz` and `report.json`.

    The same recipe gives the same weights on the same machine, interrupted or not.

    Args:
        folder: contains the checkpoint, if there is one; receives all results.
        pictures: uint8 (classes, pictures, size, size).
        held_out: number of pictures of each class, the last ones, that are not trained on.
        recipe: "backbone", "crop", "epochs", "batch_size", "learning_rate", "seed".

    Returns:
        The content of `report.json`.
    """
    started = files.now()
    device.set_up()
    device.set_seed(recipe["seed"])
    base = backbones.build_backbone(recipe["backbone"], "none", recipe["crop"])
    learned, unseen = pictures[:, :-held_out], pictures[:, -held_out:]
    steps = learned.shape[0] * learned.shape[1] // recipe["batch_size"]
    model = _classifier(base, len(pictures), recipe["learning_rate"], recipe["epochs"] * steps)
    history = _restore(folder, model)
    while len(history) < recipe["epochs"]:
        last = _train_epoch(model, learned, unseen, recipe, len(history) + 1, steps)
        history.append(last)
        _save_checkpoint(folder, model, history)
        text = f"loss {last['train_loss']:.3f}, accuracy {last['held_out_accuracy']:.3f} on held-out pictures"
        console.say("pretraining", f"epoch {last['epoch']} of {recipe['epochs']}: {text}, {last['seconds']:.0f} s")
    save(base.model, folder / "weights.npz")
    report = files.header("pre-training", started, recipe) | {
        "classes": len(pictures),
        "training_pictures": steps * recipe["batch_size"],
        "held_out_pictures": unseen.shape[0] * unseen.shape[1],
        "held_out_accuracy": history[-1]["held_out_accuracy"],
        "parameters": base.model.count_params(),
        "weights_bytes": (folder / "weights.npz").stat().st_size,
        "seconds": sum(epoch["seconds"] for epoch in history),
        "history": history,
    }
    files.write_json(folder / "report.json", report)
    return report


def _train_epoch(
    model: keras.Model, learned: np.ndarray, unseen: np.ndarray, recipe: dict[str, Any], epoch: int, steps: int
) -> Epoch:
    """Trains one epoch and scores the held-out pictures; its random numbers depend on seed and epoch alone."""
    begun = time.perf_counter()
    random = np.random.default_rng([recipe["seed"], 1, epoch])
    progress = console.Progress("pretraining", f"steps of epoch {epoch} of {recipe['epochs']}", steps, 30)
    losses = []
    for images, labels in _ahead(batches(learned, recipe["batch_size"], recipe["crop"], random)):
        losses.append(model.train_on_batch(images, labels, return_dict=True)["loss"])
        progress.reach(len(losses))
    return {
        "epoch": epoch,
        "train_loss": float(np.mean(losses)),
        "held_out_accuracy": accuracy(model, unseen, recipe["crop"]),
        "seconds": time.perf_counter() - begun,
    }


def _classifier(base: Backbone, classes: int, learning_rate: float, steps: int) -> keras.Model:
    """The compiled model: the benchmark's input scaling, the backbone, and one logit per class."""
    front = networks.backbone_front(base)
    for layer in base.model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = STATISTICS
    features = keras.layers.GlobalAveragePooling2D(dtype="float32")(base.model(front.output))
    model = keras.Model(front.input, keras.layers.Dense(classes, dtype="float32")(features))
    rising = min(WARM_UP, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )
    model.compile(
        keras.optimizers.SGD(schedule, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=device.jit_compile(),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def batches(
    pictures: np.ndarray, size: int, crop: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled batches of random crops, reflected and rotated by multiples of 90 degrees; an incomplete one is omitted.

    Args:
        pictures: uint8 (classes, pictures, side, side).
        size: pictures per batch.
        crop: height and width of the crops in px.
        random: source of all variation.

    Yields:
        Images float32 (size, crop, crop, 1) and classes int32 (size,).
    """
    classes, count, side = pictures.shape[:3]
    order = random.permutation(classes * count)
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        corners, turns = random.integers(0, side - crop + 1, (size, 2)), random.integers(0, 8, size)
        images = np.empty((size, crop, crop, 1), np.float32)
        for image, row, (top, left), turn in zip(images, rows, corners, turns, strict=True):
            part = pictures[row // count, row % count, top : top + crop, left : left + crop]
            part = np.rot90(part, turn // 2)
            image[..., 0] = part.T if turn % 2 else part
        yield images, (rows // count).astype(np.int32)


def _ahead(items: Iterator) -> Iterator:
    """Yields the same items, computing each while the previous one is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def accuracy(model: keras.Model, pictures: np.ndarray, crop: int) -> float:
    """Accuracy of the model on central crops of pictures (classes, pictures, side, side)."""
    classes, count, side = pictures.shape[:3]
    edge = (side - crop) // 2
    middle = pictures[:, :, edge : edge + crop, edge : edge + crop].reshape(-1, crop, crop, 1)
    labels = np.repeat(np.arange(classes), count)
    right = 0
    for start in range(0, len(middle), SCORED):
        # The last batch is padded, so that the backend compiles for one shape only.
        rows = np.arange(start, start + SCORED).clip(max=len(middle) - 1)
        found = np.asarray(model.predict_on_batch(middle[rows].astype(np.float32))).argmax(axis=1)
        right += int((found == labels[rows])[: len(middle) - start].sum())
    return right / len(middle)


def save(model: keras.Model, path: Path) -> None:
    """Writes the weights of a model as float16, which halves the size and changes outputs by rounding only."""
    new = path.with_name(f"{path.stem}.new.npz")
    weights: dict[str, Any] = {weight.path: np.asarray(weight, np.float16) for weight in model.weights}
    np.savez_compressed(new, **weights)
    new.replace(path)


def _save_checkpoint(folder: Path, model: keras.Model, history: list[Epoch]) -> None:
    """Writes the state that is needed to resume the training."""
    values = [np.asarray(variable) for variable in [*model.variables, *model.optimizer.variables]]
    new = folder / "checkpoint.new.npz"
    np.savez(new, *values, history=json.dumps(history))
    new.replace(folder / "checkpoint.npz")


def _restore(folder: Path, model: keras.Model) -> list[Epoch]:
    """Restores the checkpoint, if there is one; returns its history."""
    path = folder / "checkpoint.npz"
    if not path.exists():
        return []
    with np.load(path) as stored:
        for number, variable in enumerate([*model.variables, *model.optimizer.variables]):
            variable.assign(stored[f"arr_{number}"])
        history = json.loads(str(stored["history"]))
    console.say("pretraining", f"resuming after epoch {len(history)}")
    return history
