"""Trains a backbone to tell classes of pictures apart; goes on where it was interrupted."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components import console
from components.artifacts import files
from components.train import backbones, device, networks
from components.train.backbones import Backbone

MOMENTUM, WEIGHT_DECAY, WARM_UP = 0.9, 1e-4, 100
"""Of stochastic gradient descent; steps in which the learning rate rises, before a cosine lets it fall."""

STATISTICS = 0.97
"""Momentum of batch normalisation's statistics: Keras's 0.999 would hold those of a thousand steps ago."""

SCORED = 100
"""Pictures a step where nothing is learned."""


def train(folder: Path, pictures: np.ndarray, held_out: int, recipe: dict[str, Any]) -> dict[str, Any]:
    """Trains, keeping a checkpoint an epoch, and writes `weights.npz` and `report.json`.

    The same recipe gives the same weights on the same machine, interrupted or not.

    Args:
        folder: where the checkpoint is, if there is one, and where all goes.
        pictures: uint8 (classes, pictures, size, size).
        held_out: so many of each class, the last ones, are not trained on.
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
        epoch, begun = len(history) + 1, time.perf_counter()
        random = np.random.default_rng([recipe["seed"], 1, epoch])
        progress = console.Progress("pretraining", f"steps of epoch {epoch} of {recipe['epochs']}", steps, 30)
        losses = []
        for images, labels in _ahead(batches(learned, recipe["batch_size"], recipe["crop"], random)):
            losses.append(model.train_on_batch(images, labels, return_dict=True)["loss"])
            progress.reach(len(losses))
        history.append(
            {
                "epoch": epoch,
                "train_loss": float(np.mean(losses)),
                "held_out_accuracy": accuracy(model, unseen, recipe["crop"]),
                "seconds": time.perf_counter() - begun,
            }
        )
        _keep(folder, model, history)
        last = history[-1]
        said = f"loss {last['train_loss']:.3f}, accuracy {last['held_out_accuracy']:.3f} on pictures held out"
        console.say("pretraining", f"epoch {epoch} of {recipe['epochs']}: {said}, {last['seconds']:.0f} s")
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


def _classifier(base: Backbone, classes: int, learning_rate: float, steps: int) -> keras.Model:
    """The backbone behind the benchmark's own input scaling and before one logit a class, ready to be trained."""
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
    """Shuffled pictures, of each some part, mirrored and turned by quarters; the last, incomplete batch is left out.

    Args:
        pictures: uint8 (classes, pictures, side, side).
        size: pictures a batch.
        crop: height and width of the parts in px.
        random: what varies.

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
    """The same items, each made while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def accuracy(model: keras.Model, pictures: np.ndarray, crop: int) -> float:
    """The share of pictures (classes, pictures, side, side) whose class the model finds in their middle."""
    classes, count, side = pictures.shape[:3]
    edge = (side - crop) // 2
    middle = pictures[:, :, edge : edge + crop, edge : edge + crop].reshape(-1, crop, crop, 1)
    labels = np.repeat(np.arange(classes), count)
    right = 0
    for start in range(0, len(middle), SCORED):
        # The last batch is filled up, so that the backend compiles for one shape only.
        rows = np.arange(start, start + SCORED).clip(max=len(middle) - 1)
        found = np.asarray(model.predict_on_batch(middle[rows].astype(np.float32))).argmax(axis=1)
        right += int((found == labels[rows])[: len(middle) - start].sum())
    return right / len(middle)


def save(model: keras.Model, path: Path) -> None:
    """Writes a model's weights as float16, which is half of the size and changes no output by more than a rounding."""
    new = path.with_name(f"{path.stem}.new.npz")
    np.savez_compressed(new, **{weight.path: np.asarray(weight, np.float16) for weight in model.weights})
    new.replace(path)


def _keep(folder: Path, model: keras.Model, history: list[dict[str, Any]]) -> None:
    """Writes all that the training needs to go on."""
    values = [np.asarray(variable) for variable in [*model.variables, *model.optimizer.variables]]
    new = folder / "checkpoint.new.npz"
    np.savez(new, *values, history=json.dumps(history))
    new.replace(folder / "checkpoint.npz")


def _restore(folder: Path, model: keras.Model) -> list[dict[str, Any]]:
    """Goes back to the checkpoint, if there is one; gives its history."""
    path = folder / "checkpoint.npz"
    if not path.exists():
        return []
    with np.load(path) as stored:
        for number, variable in enumerate([*model.variables, *model.optimizer.variables]):
            variable.assign(stored[f"arr_{number}"])
        history = json.loads(str(stored["history"]))
    console.say("pretraining", f"goes on after epoch {len(history)}")
    return history
