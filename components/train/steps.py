"""Several training steps in one call, compiled with XLA, so that a GPU does not wait for the host between them.

Keras's `train_on_batch` sends a batch, runs one step and waits for its loss. Here the host sends only which examples a
step takes, and calls the next steps before it reads the losses of the last ones.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from components.train.batches import Batches, Chunk

FEWEST, MOST = 8, 32
"""Steps in a call, where an epoch has as many: a call's own time is negligible, and stopping takes a second or two."""

RUNNING = 2
"""Calls that may be in progress: one that runs, and one that the GPU goes on with."""


def number(steps: int) -> int:
    """How many of an epoch's steps one call makes: as the last call is as long as the others, few should be left over.

    Args:
        steps: in an epoch.
    """
    return min(range(min(steps, FEWEST), min(steps, MOST) + 1), key=lambda size: (-steps % size, -size))


class StepLosses:
    """Losses of the steps of an epoch, which are read from the device late, so that nothing waits for them.

    Args:
        values: of the first steps.
    """

    def __init__(self, values: Sequence[float] = ()):
        self._values = list(values)
        self._later: list[tuple[Any, int]] = []

    def __len__(self) -> int:
        return len(self._values) + sum(count for _, count in self._later)

    def add(self, loss: float) -> None:
        """Adds that of one step."""
        self._values.append(loss)

    def add_later(self, losses: Any, count: int) -> None:
        """Adds the first `count` of an array on the device, which need not be computed yet.

        Reads those of earlier calls, so that the host is at most `RUNNING` calls ahead, and a request to stop
        takes no longer.
        """
        self._later.append((losses, count))
        while len(self._later) > RUNNING:
            self._read()

    @property
    def values(self) -> list[float]:
        """All of them; waits until they are computed."""
        while self._later:
            self._read()
        return self._values

    def _read(self) -> None:
        losses, count = self._later.pop(0)
        self._values += keras.ops.convert_to_numpy(losses)[:count].tolist()


class StepsTogether:
    """Makes several training steps in one call.

    Args:
        model: compiled, with a built optimizer.
        batches: training examples.

    Attributes:
        size: number of steps in a call.
        call: makes a call with `size` batches; gives the losses of its steps, float32 (size,), without waiting.
    """

    def __init__(self, model: keras.Model, batches: Batches):
        self._batches, self.size = batches, number(len(batches))
        make = {"tensorflow": _with_tensorflow, "jax": _with_jax}[keras.backend.backend()]
        self.call: Callable[[Chunk], Any] = make(model, self.size)

    def train(self, losses: StepLosses, pause: Callable[[], None]) -> None:
        """Trains an epoch to its end.

        Args:
            losses: of the steps that were made, to which the others are added.
            pause: called after each call.
        """
        for chunk in self._batches.chunks(len(losses), self.size):
            losses.add_later(self.call(chunk), chunk.count)
            pause()


def _picked(arrays: Sequence[Any], rows: Any) -> Any:
    """The inputs of a step."""
    inputs = [keras.ops.take(array, rows, axis=0) for array in arrays]
    return inputs if len(inputs) > 1 else inputs[0]


def _with_tensorflow(model: keras.Model, size: int) -> Callable[[Chunk], Any]:
    """A function that makes `size` steps, of which the first `Chunk.count` change the model; it gives their losses."""
    import tensorflow as tf  # noqa: PLC0415 (only where it is the backend)

    variables = [*model.variables, *model.optimizer.variables]

    def step(inputs: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = model.loss(labels, model(inputs, training=True), sample_weight=weights)
        model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        return loss

    @tf.function(jit_compile=True, autograph=False)
    def run(arrays: Any, rows: Any, labels: Any, weights: Any, count: Any) -> Any:
        def body(i: Any, losses: Any) -> tuple[Any, Any]:
            before = [tf.identity(variable.value) for variable in variables]
            loss = step(_picked(arrays, rows[i]), labels[i], weights[i])
            # Not fewer turns of the loop: if their number is not constant, the GPU waits for the host after each.
            for variable, value in zip(variables, before, strict=True):
                variable.assign(tf.where(i < count, variable.value, value))
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [loss])

        start = tf.constant(0), tf.zeros(size)
        return tf.while_loop(lambda i, _: i < size, body, start, maximum_iterations=size)[1]

    traced: list[Any] = []

    def call(chunk: Chunk) -> Any:
        arrays = [tf.convert_to_tensor(array) for array in chunk.arrays]
        others = map(tf.convert_to_tensor, (chunk.rows, chunk.labels, chunk.weights, np.int32(chunk.count)))
        arguments = (arrays, *others)
        if not traced:  # by hand, since TensorFlow would warn that every phase does it
            traced.append(run.get_concrete_function(*arguments))
        return traced[0](*arguments)

    return call


def _with_jax(model: keras.Model, size: int) -> Callable[[Chunk], Any]:
    """As `_with_tensorflow`."""
    import jax  # noqa: PLC0415 (only where it is the backend)

    def loss_of(trainable: Any, other: Any, inputs: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        logits, other = model.stateless_call(trainable, other, inputs, training=True)
        return model.loss(labels, logits, sample_weight=weights), other

    @jax.jit
    def run(state: Any, arrays: Any, steps: Any, count: Any) -> tuple[Any, Any]:
        def body(state: Any, step: Any) -> tuple[Any, Any]:
            i, rows, labels, weights = step
            trainable, other, optimizer = state
            gradient = jax.value_and_grad(loss_of, has_aux=True)
            (loss, other), slopes = gradient(trainable, other, _picked(arrays, rows), labels, weights)
            trainable, optimizer = model.optimizer.stateless_apply(optimizer, slopes, trainable)
            after = (trainable, other, optimizer)
            return jax.tree.map(lambda new, old: jax.numpy.where(i < count, new, old), after, state), loss

        return jax.lax.scan(body, state, (jax.numpy.arange(size), *steps))

    def call(chunk: Chunk) -> Any:
        groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        state = tuple([variable.value for variable in group] for group in groups)
        steps = chunk.rows, chunk.labels, chunk.weights
        state, losses = run(state, list(chunk.arrays), steps, np.int32(chunk.count))
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return losses

    return call
