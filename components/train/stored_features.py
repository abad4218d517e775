"""Outputs of frozen layers, computed once instead of in every epoch."""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from components.artifacts.arrays import new_array
from components.train.batches import Compute, forward

MEMORY_LIMIT = 256 * 1024**2
"""Stored features beyond this size (bytes) are written to disk and mapped into memory."""


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

    def take(
        self, saved: Examples, shared_seconds: float, outputs: Sequence[keras.KerasTensor], count: tuple[int, int]
    ) -> Examples:
        """Takes features that another process has computed, as if `compute` had given them.

        Args:
            saved: the arrays.
            shared_seconds: as the attribute.
            outputs: as in `compute`.
            count: number of training and of validation examples.

        Raises:
            ValueError: the arrays have other shapes than `compute` would give.
        """
        for arrays, examples in zip((saved.train, saved.validation), count, strict=True):
            for array, output in zip(arrays, outputs, strict=True):
                if array.shape[1:] != (examples, *output.shape[1:]) or array.dtype != np.float32:
                    raise ValueError(f"features are {array.dtype} {array.shape}")
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


class Slices(StoredFeatures):
    """Features of some examples, taken from those of all.

    Args:
        store: creates the arrays.
        every: features of all examples.
        rows: indices of the training and of the validation examples.
    """

    def __init__(self, store: Store, every: Examples, rows: tuple[np.ndarray, np.ndarray]):
        super().__init__(store)
        self._every, self._rows = every, rows

    def compute(self, *_: object, **__: object) -> Examples:
        """Takes the features; the arguments of `StoredFeatures.compute` are known already."""
        taken = []
        for arrays, rows in zip((self._every.train, self._every.validation), self._rows, strict=True):
            own = [self._store.array((len(array), len(rows), *array.shape[2:])) for array in arrays]
            for array, part in zip(arrays, own, strict=True):
                for view, features in enumerate(array):
                    part[view] = features[rows]
            taken.append(own)
        self._examples = Examples(*taken)
        return self._examples


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
