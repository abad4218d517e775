"""Feeding arrays, mapped from disk or held in memory, to a network batch by batch."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.artifacts.arrays import new_array
from components.train import device

MEMORY_LIMIT = 256 * 1024**2
"""Stored features above this size (bytes) go to disk and are mapped into memory."""

FORWARD_BATCH = 64
"""Images a step where nothing is learned: for MobileNetV2 at 96 px, 32 are a seventh slower, 128 hardly faster."""

Compute = Callable[[list[np.ndarray]], list[np.ndarray]]
"""Takes a batch of each input array, gives a batch of each output array."""


class Batches:
    """Shuffled batches of training examples, each in one of its stored views.

    Every pass over the batches has its own order and choice of views, both given by `seed`. The last, incomplete batch
    is left out (another remainder each time), since its statistics would disturb batch normalisation.

    Args:
        arrays: one a model input, (views, N, ...).
        labels: (N,), 0 or 1.
        weights: (N,), the examples' weights in the loss.
        batch_size: examples a batch.
        seed: of order and views.
    """

    def __init__(
        self, arrays: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray, batch_size: int, seed: int
    ):
        self._views = len(arrays[0])
        # One row a stored example, (views * N, ...), so that a batch is one look-up.
        self._arrays = device.resident([array.reshape(-1, *array.shape[2:]) for array in arrays])
        self._labels, self._weights = labels.astype(np.float32), weights.astype(np.float32)
        replicas = device.replicas()
        self._batch_size = min(batch_size, max(1, len(labels) // replicas) * replicas)
        self._random = np.random.default_rng([seed, 1])

    def __len__(self) -> int:
        return len(self._labels) // self._batch_size

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Gives inputs (an array or tensor, or a list of them), labels (B, 1) and weights (B,) of each batch."""
        count, size = len(self._labels), self._batch_size
        order = self._random.permutation(count)
        views = self._random.integers(self._views, size=count)
        for start in range(0, len(self) * size, size):
            rows, chosen = np.sort(order[start : start + size]), views[start : start + size]
            examples = chosen * count + rows
            inputs = [
                array[examples] if isinstance(array, np.ndarray) else keras.ops.take(array, examples, axis=0)
                for array in self._arrays
            ]
            yield inputs if len(inputs) > 1 else inputs[0], self._labels[rows, None], self._weights[rows]


@dataclass(frozen=True)
class Examples:
    """What a network is trained and validated on.

    Attributes:
        train: one array a network input, (views, N, ...).
        validation: likewise, (1, M, ...).
    """

    train: list[np.ndarray]
    validation: list[np.ndarray]


def as_views(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W) as one view of a one-channel input, (1, N, H, W, 1), without a copy."""
    return images[None, ..., None]


def forward(
    compute: Compute,
    arrays: Sequence[np.ndarray],
    view: int,
    receive: Callable[[int, list[np.ndarray]], None],
) -> None:
    """Computes something of every example in one view, in float32 and in batches of equal size.

    Args:
        compute: takes a batch of each array (FORWARD_BATCH, ...; more if several devices could not share that equally),
            gives its outputs.
        arrays: one an input, (views, N, ...).
        view: which view.
        receive: is given the index of a batch's first example and the outputs for it.
    """
    count = arrays[0].shape[1]
    size = FORWARD_BATCH + -FORWARD_BATCH % device.replicas()
    for start in range(0, count, size):
        # The last batch is filled up, so that the backend compiles for one shape only.
        rows = np.arange(start, start + size).clip(max=count - 1)
        outputs = compute([array[view, rows].astype(np.float32, copy=False) for array in arrays])
        receive(start, [output[: count - start] for output in outputs])


def computation(model: keras.Model, training: bool = False) -> Compute:
    """A model as a function from a list of input arrays to a list of output arrays.

    Args:
        model: what to compute.
        training: in training mode: augmentation acts, statistics are those of the batch and are updated.
    """
    if training:
        model = _InTrainingMode(model)

    def compute(inputs: list[np.ndarray]) -> list[np.ndarray]:
        outputs = model.predict_on_batch(device.share(inputs if len(inputs) > 1 else inputs[0]))
        return outputs if isinstance(outputs, list) else [outputs]

    return compute


class _InTrainingMode(keras.Model):
    """A model that is in training mode even while it predicts.

    `training=True` in a functional model's own calls is not enough: Keras's `predict` overrides it there.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="in_training_mode")
        self._model = model

    def call(self, inputs):
        return self._model(inputs, training=True)


def predict(model: keras.Model, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """A model's single output for the first view of its inputs, float32 (N,)."""
    result = np.empty(arrays[0].shape[1], np.float32)

    def receive(start: int, outputs: list[np.ndarray]) -> None:
        result[start : start + len(outputs[0])] = outputs[0][:, 0]

    forward(computation(model), arrays, 0, receive)
    return result


class Store:
    """Temporary room for features: in memory while small, on disk otherwise; freed when closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="features-", ignore_cleanup_errors=True)
        self._used = 0
        self._count = 0

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """A new float32 array."""
        size = 4 * math.prod(shape)
        if self._used + size <= MEMORY_LIMIT:
            self._used += size
            return np.empty(shape, np.float32)
        self._count += 1
        return new_array(Path(self._folder.name) / f"{self._count}.npy", np.float32, shape)


class StoredFeatures:
    """A model's outputs for the examples of a training, computed once instead of in every epoch.

    The arrays are kept from seed to seed, and so is what no seed changes in them: the first view of the training
    examples, and the validation examples.

    Args:
        store: makes the arrays.

    Attributes:
        spared_seconds: what computing it again would have taken the last time; 0 where it was computed.
    """

    def __init__(self, store: Store):
        self._store = store
        self._examples: Examples | None = None
        self._shared_seconds = 0.0
        self.spared_seconds = 0.0

    def compute(
        self,
        plain: Compute,
        augment: Sequence[Compute],
        inputs: Examples,
        outputs: Sequence[keras.KerasTensor],
        anew: bool,
    ) -> Examples:
        """Gives the features of every example: in the first view as it is, in each further one after `augment`.

        Args:
            plain: computes them.
            augment: one function from inputs to inputs for each further view. View i starts from view i of the inputs,
                or from their only one.
            inputs: what they are computed from.
            outputs: symbolic outputs of `plain`, for their shapes.
            anew: whether the weights of `plain` are other than last time.

        Returns:
            One float32 array an output: (views, N, ...) for training, (1, M, ...) for validation. They are overwritten
            by the next call.
        """
        first = self._examples is None
        if first:
            self._examples = Examples(
                self._arrays(outputs, 1 + len(augment), inputs.train), self._arrays(outputs, 1, inputs.validation)
            )
        train, validation = self._examples.train, self._examples.validation
        # These come first, so that what they share with the others, tracing, does not count in the others' time.
        for view, change in enumerate(augment, start=1):
            _fill(train, view, lambda batch, change=change: plain(change(batch)), inputs.train)
        self.spared_seconds = self._shared_seconds
        if first or anew:
            begun = time.perf_counter()
            _fill(train, 0, plain, inputs.train)
            _fill(validation, 0, plain, inputs.validation)
            self._shared_seconds, self.spared_seconds = time.perf_counter() - begun, 0.0
        return self._examples

    def _arrays(self, outputs: Sequence[keras.KerasTensor], views: int, inputs: Sequence[np.ndarray]) -> list:
        return [self._store.array((views, inputs[0].shape[1], *output.shape[1:])) for output in outputs]


def _fill(arrays: Sequence[np.ndarray], view: int, compute: Compute, inputs: Sequence[np.ndarray]) -> None:
    """Writes what `compute` gives for every input into one view of the arrays."""

    def receive(start: int, batch: list[np.ndarray]) -> None:
        for array, features in zip(arrays, batch, strict=True):
            array[view, start : start + len(features)] = features

    forward(compute, inputs, min(view, len(inputs[0]) - 1), receive)
