"""Batches of arrays on disk or in memory, for training and inference."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from components.train import device

FORWARD_BATCH = 64
"""Images per inference step: for MobileNetV2 at 96 px, 32 are a seventh slower, 128 hardly faster, on a CPU."""

GPU_FORWARD_BATCH = 256
"""The same on a GPU, which waits for the host after every step."""

Compute = Callable[[list[np.ndarray]], list[np.ndarray]]
"""Maps a batch of each input array to a batch of each output array."""


@dataclass(frozen=True)
class Chunk:
    """Several batches of B examples each, for as many steps in one call.

    Attributes:
        arrays: one per model input, (examples, ...): all examples, in the memory of the GPU, or those of this chunk.
        rows: int32 (steps, B), the examples of each batch in `arrays`.
        labels: float32 (steps, B, 1).
        weights: float32 (steps, B).
        count: how many of the batches there are; the others repeat the last one and are not to be trained with.
    """

    arrays: Sequence[Any]
    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    count: int


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
        for rows, examples in self._drawn(done):
            inputs = [
                array[examples] if isinstance(array, np.ndarray) else keras.ops.take(array, examples, axis=0)
                for array in self._arrays
            ]
            yield inputs if len(inputs) > 1 else inputs[0], self._labels[rows, None], self._weights[rows]

    def chunks(self, done: int, size: int) -> Iterator[Chunk]:
        """The batches of a pass without the first `done`, `size` at a time."""
        drawn = self._drawn(done)
        while batches := list(itertools.islice(drawn, size)):
            padding = [batches[-1]] * (size - len(batches))
            rows, examples = (np.stack(parts) for parts in zip(*batches, *padding, strict=True))
            arrays: Sequence[Any] = self._arrays
            if isinstance(arrays[0], np.ndarray):
                arrays = [array[examples.reshape(-1)] for array in arrays]
                examples = np.arange(examples.size).reshape(examples.shape)
            yield Chunk(arrays, examples.astype(np.int32), self._labels[rows, None], self._weights[rows], len(batches))

    def _drawn(self, done: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Of each batch of a pass without the first `done`: the indices of labels and of stored examples."""
        count, size = len(self._labels), self._batch_size
        order = self._random.permutation(count)
        views = self._random.integers(self._views, size=count)
        for start in range(done * size, len(self) * size, size):
            rows, chosen = np.sort(order[start : start + size]), views[start : start + size]
            yield rows, chosen * count + rows


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
        compute: the function; its batches have `FORWARD_BATCH` examples (on a GPU `GPU_FORWARD_BATCH`), rounded up to a
            multiple of the devices.
        arrays: one per input, (views, N, ...).
        view: index of the view.
        receive: called with the index of the first example of each batch and the outputs for the batch.
    """
    count = arrays[0].shape[1]
    size = GPU_FORWARD_BATCH if device.steps_together() else FORWARD_BATCH
    size += -size % device.replicas()
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
        self.built = True  # else Keras calls it once outside of a compiled function, which takes JAX 10 s

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return self._model(inputs, training=True)


def predict(model: keras.Model, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The single output of a model for the first view of its inputs, float32 (N,)."""
    result = np.empty(arrays[0].shape[1], np.float32)

    def receive(start: int, outputs: list[np.ndarray]) -> None:
        result[start : start + len(outputs[0])] = outputs[0][:, 0]

    forward(computation(model), arrays, 0, receive)
    return result
