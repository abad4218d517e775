"""Batches of arrays on disk or in memory for training and inference, and stored features."""

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
"""Stored features beyond this size (bytes) are written to disk and mapped into memory."""

FORWARD_BATCH = 64
"""Images per inference step: for MobileNetV2 at 96 px, 32 are a seventh slower, 128 hardly faster."""

Compute = Callable[[list[np.ndarray]], list[np.ndarray]]
"""Maps a batch of each input array to a batch of each output array."""


class Batches:
    """Shuffled batches of training examples, each in one of its stored views.

    Every pass over the batches has its own order and choice of views, both determined by `seed`. The last, incomplete
    batch is omitted (other examples in each pass), since its statistics would disturb batch normalisation. With fewer
    examples than `batch_size`, a batch has as many as the devices can share equally.

    Args:
        arrays: one per model input, (views, N, ...).
        labels: int (N,), 0 or 1.
        weights: float (N,), weights of the examples in the loss.
        batch_size: examples per batch, a multiple of `device.replicas()`.
        seed: of order and views.
    """

    def __init__(
        self, arrays: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray, batch_size: int, seed: int
    ):
        self._views = len(arrays[0])
        # One row per stored example, (views * N, ...), so that a batch needs one look-up.
        self._arrays = device.resident([array.reshape(-1, *array.shape[2:]) for array in arrays])
        self._labels, self._weights = labels.astype(np.float32), weights.astype(np.float32)
        replicas = device.replicas()
        self._batch_size = min(batch_size, max(1, len(labels) // replicas) * replicas)
        self._random = np.random.default_rng([seed, 1])

    def __len__(self) -> int:
        return len(self._labels) // self._batch_size

    @property
    def random_state(self) -> dict[str, Any]:
        """State of the random generator, in JSON values; with the same state the next pass is the same."""
        return dict(self._random.bit_generator.state)

    @random_state.setter
    def random_state(self, state: dict[str, Any]) -> None:
        self._random.bit_generator.state = state

    def __iter__(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Yields inputs (an array or tensor, or a list of them), labels (B, 1) and weights (B,) of each batch."""
        return self.following(0)

    def following(self, done: int) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """The batches of a pass without the first `done`."""
        count, size = len(self._labels), self._batch_size
        order = self._random.permutation(count)
        views = self._random.integers(self._views, size=count)
        for start in range(done * size, len(self) * size, size):
            rows, chosen = np.sort(order[start : start + size]), views[start : start + size]
            examples = chosen * count + rows
            inputs = [
                array[examples] if isinstance(array, np.ndarray) else keras.ops.take(array, examples, axis=0)
                for array in self._arrays
            ]
            yield inputs if len(inputs) > 1 else inputs[0], self._labels[rows, None], self._weights[rows]


@dataclass(frozen=True)
class Examples:
    """Inputs for training and validation of a network.

    Attributes:
        train: one array per network input, (views, N, ...).
        validation: one array per network input, (1, M, ...).
    """

    train: list[np.ndarray]
    validation: list[np.ndarray]

    @property
    def nbytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in _all(self))


def as_views(images: np.ndarray) -> np.ndarray:
    """Reshapes images (N, H, W) to one view of a one-channel input, (1, N, H, W, 1), without a copy."""
    return images[None, ..., None]


def forward(
    compute: Compute,
    arrays: Sequence[np.ndarray],
    view: int,
    receive: Callable[[int, list[np.ndarray]], None],
) -> None:
    """Applies a function to one view of every example, in float32 and in batches of equal size.

    Args:
        compute: the function; its batches have `FORWARD_BATCH` examples, rounded up to a multiple of the devices.
        arrays: one per input, (views, N, ...).
        view: index of the view.
        receive: called with the index of the first example of each batch and the outputs for the batch.
    """
    count = arrays[0].shape[1]
    size = FORWARD_BATCH + -FORWARD_BATCH % device.replicas()
    for start in range(0, count, size):
        # The last batch is padded, so that the backend compiles for one shape only.
        rows = np.arange(start, start + size).clip(max=count - 1)
        outputs = compute([array[view, rows].astype(np.float32, copy=False) for array in arrays])
        receive(start, [output[: count - start] for output in outputs])


def computation(model: keras.Model, training: bool = False) -> Compute:
    """Wraps a model as a function from a list of input arrays to a list of output arrays.

    Args:
        model: the model.
        training: use training mode: augmentation is active, and batch normalisation uses and updates the statistics of
            the batch.
    """
    if training:
        model = _InTrainingMode(model)

    def compute(inputs: list[np.ndarray]) -> list[np.ndarray]:
        outputs = model.predict_on_batch(device.share(inputs if len(inputs) > 1 else inputs[0]))
        return outputs if isinstance(outputs, list) else [outputs]

    return compute


class _InTrainingMode(keras.Model):
    """A model that is in training mode even in `predict_on_batch`.

    `training=True` in the calls of a functional model is not enough, since Keras's `predict` overrides it.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="in_training_mode")
        self._model = model

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self._model(inputs, training=True)


def predict(model: keras.Model, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The single output of a model for the first view of its inputs, float32 (N,)."""
    result = np.empty(arrays[0].shape[1], np.float32)

    def receive(start: int, outputs: list[np.ndarray]) -> None:
        result[start : start + len(outputs[0])] = outputs[0][:, 0]

    forward(computation(model), arrays, 0, receive)
    return result


class Store:
    """Temporary arrays for features: in memory up to `MEMORY_LIMIT`, then on disk; deleted on exit."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="features-", ignore_cleanup_errors=True)
        self._used = 0
        self._count = 0

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Creates a float32 array."""
        size = 4 * math.prod(shape)
        if self._used + size <= MEMORY_LIMIT:
            self._used += size
            return np.empty(shape, np.float32)
        self._count += 1
        return new_array(Path(self._folder.name) / f"{self._count}.npy", np.float32, shape)


class StoredFeatures:
    """Outputs of frozen layers for all examples, computed once instead of in every epoch.

    The arrays are reused for the next seed, and so are features that do not depend on the seed: those of the first view
    of the training examples and of the validation examples.

    Args:
        store: creates the arrays.

    Attributes:
        spared_seconds: time that the last call of `compute` saved by reusing features; 0 if it computed all.
        shared_seconds: time that it took to compute the features that do not depend on the seed.
    """

    def __init__(self, store: Store):
        self._store = store
        self._examples: Examples | None = None
        self.shared_seconds = 0.0
        self.spared_seconds = 0.0

    def compute(
        self,
        plain: Compute,
        augment: Sequence[Compute],
        inputs: Examples,
        outputs: Sequence[keras.KerasTensor],
        anew: bool,
    ) -> Examples:
        """Computes the features of every example: of the first view unchanged, of each further view augmented.

        Args:
            plain: computes features of inputs.
            augment: one function from inputs to inputs for each further view. View i starts from view i of the inputs
                if they have several, else from their only view.
            inputs: inputs of `plain`.
            outputs: symbolic outputs of `plain`, for their shapes.
            anew: whether the weights of `plain` have changed since the last call.

        Returns:
            One float32 array per output: (views, N, ...) for training, (1, M, ...) for validation. The next call
            overwrites them.
        """
        known = self._examples
        examples = known or Examples(
            self._arrays(outputs, 1 + len(augment), inputs.train), self._arrays(outputs, 1, inputs.validation)
        )
        # Augmented views come first, so that tracing does not count in the time of the shared features.
        for view, change in enumerate(augment, start=1):
            _fill(examples.train, view, _composed(plain, change), inputs.train)
        self.spared_seconds = self.shared_seconds
        if known is None or anew:
            begun = time.perf_counter()
            _fill(examples.train, 0, plain, inputs.train)
            _fill(examples.validation, 0, plain, inputs.validation)
            self.shared_seconds, self.spared_seconds = time.perf_counter() - begun, 0.0
        self._examples = examples
        return examples

    def take(self, saved: Examples, shared_seconds: float) -> Examples:
        """Takes features that another process has computed, as if `compute` had given them.

        Args:
            saved: the arrays.
            shared_seconds: as the attribute.
        """
        if self._examples is None:
            self._examples = Examples(
                *([self._store.array(array.shape) for array in arrays] for arrays in (saved.train, saved.validation))
            )
        for own, given in zip(_all(self._examples), _all(saved), strict=True):
            own[...] = given
        self.shared_seconds, self.spared_seconds = shared_seconds, 0.0
        return self._examples

    def _arrays(
        self, outputs: Sequence[keras.KerasTensor], views: int, inputs: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        return [self._store.array((views, inputs[0].shape[1], *output.shape[1:])) for output in outputs]


def _all(examples: Examples) -> list[np.ndarray]:
    return [*examples.train, *examples.validation]


def _composed(outer: Compute, inner: Compute) -> Compute:
    return lambda batch: outer(inner(batch))


def _fill(arrays: Sequence[np.ndarray], view: int, compute: Compute, inputs: Sequence[np.ndarray]) -> None:
    """Writes the outputs of `compute` for every input into one view of the arrays."""

    def receive(start: int, batch: list[np.ndarray]) -> None:
        for array, features in zip(arrays, batch, strict=True):
            array[view, start : start + len(features)] = features

    forward(compute, inputs, min(view, len(inputs[0]) - 1), receive)
