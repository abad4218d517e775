"""The training loop: AdamW, a cosine schedule, validation after every epoch, early stopping."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict

import keras
import numpy as np

from components.train import device
from components.train.batches import Batches
from components.train.optimizer import FlatAdamW
from components.train.recipe import Recipe
from components.train.steps import StepLosses, StepsTogether
from components.train.validation import Scores, Validation, ValidationState

DIVERGED_LOSS = 2.0
"""A training has diverged if the mean of its training and validation loss exceeds this: images then get 14% for their
class. A model that always predicts 50% has a loss of 0.69."""


class Losses(Scores):
    """Losses and scores after an epoch.

    Attributes:
        epoch: counted from 1.
        learning_rate: of the step after the epoch.
        train_loss: mean class-weighted binary cross-entropy of the steps (nats).
    """

    epoch: int
    learning_rate: float
    train_loss: float


class PhaseState(TypedDict):
    """Where a phase is; all that its further steps depend on.

    Attributes:
        variables: of the model, its random generators included.
        optimizer: its variables.
        records: of the complete epochs.
        losses: of the steps of the epoch in progress.
        order: state of the random generator of the batches when that epoch began.
        validation: see `Validation.state`.
        overflowed: whether the logits overflowed.
    """

    variables: list[np.ndarray]
    optimizer: list[np.ndarray]
    records: list[Losses]
    losses: list[float]
    order: dict[str, Any]
    validation: ValidationState
    overflowed: bool


class Phase:
    """One phase of a training: trains a model in place and restores its best weights.

    It can stop after any step. A new object, made with the same arguments and given the `state`, then goes on, with the
    same results, bit for bit, where the backend's operations are deterministic.

    Args:
        model: returns logits.
        batches: training examples.
        validation: scores each epoch.
        epochs: largest number of epochs.
        learning_rate: peak learning rate.
        recipe: shape of the schedule, weight decay.
    """

    def __init__(
        self,
        model: keras.Model,
        batches: Batches,
        validation: Validation,
        epochs: int,
        learning_rate: float,
        recipe: Recipe,
    ):
        self._model, self._batches, self._validation, self._epochs = model, batches, validation, epochs
        self._records: list[Losses] = []
        self._losses = StepLosses()
        self._order = batches.random_state
        self._overflowed = False
        _compile(model, epochs * len(batches), learning_rate, recipe)
        self._together = StepsTogether(model, batches) if device.steps_together() else None

    @property
    def done(self) -> str:
        """How far it is, in words."""
        return f"epoch {len(self._records)}" + (f" and {len(self._losses)} steps" if self._losses else "")

    @property
    def state(self) -> PhaseState:
        """Where the phase is."""
        return {
            "variables": _values(self._model.variables),
            "optimizer": _values(self._model.optimizer.variables),
            "records": self._records,
            "losses": self._losses.values,
            "order": self._order,
            "validation": self._validation.state,
            "overflowed": self._overflowed,
        }

    @state.setter
    def state(self, state: PhaseState) -> None:
        if len(state["losses"]) > len(self._batches) or len(state["records"]) > self._epochs:
            raise ValueError("it is of a longer phase")
        _assign(self._model.variables, state["variables"])
        _assign(self._model.optimizer.variables, state["optimizer"])
        self._records, self._losses = state["records"], StepLosses(state["losses"])
        self._order = self._batches.random_state = state["order"]
        self._validation.state = state["validation"]
        self._overflowed = state["overflowed"]

    def run(self, report: Callable[[Losses], None], pause: Callable[[bool], None] = lambda _: None) -> bool:
        """Trains to the end of the phase.

        Args:
            report: called after each epoch.
            pause: called after each step (with `device.steps_together` after several), with False, and after each
                epoch, with True; `state` then says where the phase is. It may raise an exception to stop.

        Returns:
            Whether the training diverged: its logits overflowed, or the losses of its last or best epoch exceed
            `DIVERGED_LOSS`.

        Raises:
            DivergedError: the logits overflowed in the first epoch, so that there is no model.
        """
        while not self._ended():
            self._train_epoch(pause)
            rate = float(keras.ops.convert_to_numpy(self._model.optimizer.learning_rate))
            epoch, train_loss = len(self._records) + 1, float(np.mean(self._losses.values))
            scores = self._validation.score(epoch)
            self._losses, self._order = StepLosses(), self._batches.random_state
            if scores is None:
                self._overflowed = True
                break
            self._records.append({"epoch": epoch, "learning_rate": rate, "train_loss": train_loss, **scores})
            report(self._records[-1])
            pause(True)
        self._validation.restore()
        return self._diverged()

    def _ended(self) -> bool:
        done = len(self._records)
        return self._overflowed or done == self._epochs or (done > 0 and self._validation.enough(done))

    def _diverged(self) -> bool:
        decisive = (self._records[-1], self._records[self._validation.best_epoch - 1])
        return self._overflowed or any(
            item["train_loss"] + item["validation_loss"] > 2 * DIVERGED_LOSS for item in decisive
        )

    def _train_epoch(self, pause: Callable[[bool], None]) -> None:
        """Trains the epoch in progress to its end.

        Not `model.fit`: its tf.data pipeline makes the C library return memory after every operation, in spite of
        `process.keep_freed_memory`, which doubles the time of a step.
        """
        if self._together:
            self._together.train(self._losses, partial(pause, False))
            return
        for batch in self._batches.following(len(self._losses)):
            inputs, labels, weights = device.share(batch)
            logs = self._model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)
            self._losses.add(float(logs["loss"]))
            pause(False)


def _values(variables: list[keras.Variable]) -> list[np.ndarray]:
    """Copies of the values of variables."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[keras.Variable], arrays: list[np.ndarray]) -> None:
    """Sets variables to what `_values` gave."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _compile(model: keras.Model, steps: int, learning_rate: float, recipe: Recipe) -> None:
    """Sets optimizer and loss for a training of `steps` steps."""
    rising = max(1, round(recipe.rising_fraction * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )
    if steps == 1:
        schedule = learning_rate  # the only step would have the rate 0
    # FlatAdamW does not support TensorFlow's replicas.
    optimizer = keras.optimizers.AdamW if device.replicas() > 1 else FlatAdamW
    model.compile(
        optimizer=optimizer(schedule, weight_decay=recipe.weight_decay),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=device.jit_compile() and not device.steps_together(),  # `StepsTogether` compiles them itself
    )
    if device.replicas() > 1:
        # Keras builds some state from the first batch, which fails for a distributed batch.
        zeros = [np.zeros((device.replicas(), *tensor.shape[1:]), np.float32) for tensor in model.inputs]
        model.test_on_batch(zeros if len(zeros) > 1 else zeros[0], np.zeros((device.replicas(), 1)))
    # If its variables were created in the first step, TensorFlow would trace that step twice.
    model.optimizer.build(model.trainable_variables)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights of examples, float (N,), with equal sums for both classes and mean 1."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * counts))[labels]
