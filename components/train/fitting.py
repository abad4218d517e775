"""The training loop: AdamW, a cosine schedule, validation after every epoch, early stopping, best weights."""

import time
from collections.abc import Callable, Sequence
from typing import TypedDict

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from components.console import UserError
from components.train import device
from components.train.batches import Batches, predict
from components.train.optimizer import FlatAdamW
from components.train.recipe import Recipe
from components.train.selection import Candidate, EpochChoice

DIVERGED_LOSS = 2.0
"""A training has diverged if the mean of its training and validation loss exceeds this: images then get 14% for their
class. A model that always predicts 50% has a loss of 0.69."""


class Scores(TypedDict):
    """Scores of the validation split.

    Attributes:
        validation_loss: class-weighted binary cross-entropy (nats).
        validation_auc: ROC AUC.
    """

    validation_loss: float
    validation_auc: float


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


class Validation:
    """Scores the validation split, keeps the best weights, and decides on early stopping.

    The best epoch is that of `selection.EpochChoice`. Early stopping counts the epochs since the highest ROC AUC (of
    several the one with the lowest loss), which is what `patience` usually means, and not since the best epoch: that
    may be an earlier one.

    A copy of the weights of each candidate is kept in the main memory, those of frozen layers in `model` included. In
    18 trainings of the custom CNN for ten epochs (160 validation images) there were at most four at once, mostly two.

    Args:
        model: returns the logits of the validation inputs; shares its weights with the trained model.
        arrays: validation inputs, (1, N, ...) each.
        labels: int (N,), 0 or 1.
        patients: (N,), patient of each image.
        weights: float (N,), weights of the examples in the loss.
        patience: epochs without improvement before training stops; 0 trains all epochs.

    Attributes:
        highest_auc_epoch: the epoch with the highest ROC AUC, counted from 1; 0 before the first.
    """

    def __init__(
        self,
        model: keras.Model,
        arrays: Sequence[np.ndarray],
        labels: np.ndarray,
        patients: np.ndarray,
        weights: np.ndarray,
        patience: int,
    ):
        self._model, self._arrays, self._labels, self._weights = model, arrays, labels, weights
        self._patience = patience
        self._choice: EpochChoice[list[np.ndarray]] = EpochChoice(labels, patients)
        self._highest = (-1.0, 0.0)
        self.highest_auc_epoch = 0

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are restored, counted from 1; 0 before the first."""
        return self._choice.epoch

    def score(self, epoch: int) -> Scores | None:
        """Scores the model after `epoch` (counted from 1); returns None if its logits are not finite."""
        logits = predict(self._model, self._arrays).astype(np.float64)
        if not np.isfinite(logits).all():
            return None
        auc = float(roc_auc_score(self._labels, logits))
        with np.errstate(over="ignore"):  # a very negative logit has the probability 0
            probabilities = 1 / (1 + np.exp(-logits))
        loss = float(log_loss(self._labels, probabilities, sample_weight=self._weights))
        if (auc, -loss) > self._highest:
            self._highest, self.highest_auc_epoch = (auc, -loss), epoch
        self._choice.add(Candidate(epoch, auc, loss, logits), self._model.get_weights)
        return {"validation_loss": loss, "validation_auc": auc}

    def enough(self, epoch: int) -> bool:
        """Whether training should stop after `epoch`."""
        return bool(self._patience) and epoch - self.highest_auc_epoch >= self._patience

    def restore(self) -> None:
        """Restores the weights of the best epoch.

        Raises:
            UserError: the logits were not finite after any epoch.
        """
        if not self.best_epoch:
            raise UserError("the training diverged in its first epoch: choose a lower learning rate")
        self._model.set_weights(self._choice.state)


def fit(
    model: keras.Model,
    batches: Batches,
    validation: Validation,
    epochs: int,
    learning_rate: float,
    recipe: Recipe,
    report: Callable[[Losses], None],
) -> bool:
    """Trains `model` in place and restores its best weights.

    Args:
        model: returns logits.
        batches: training examples.
        validation: scores each epoch.
        epochs: largest number of epochs.
        learning_rate: peak learning rate.
        recipe: shape of the schedule, weight decay.
        report: called after each epoch.

    Returns:
        Whether the training diverged: its logits overflowed, or the losses of its last or best epoch exceed
        `DIVERGED_LOSS`.

    Raises:
        UserError: the logits overflowed in the first epoch, so that there is no model.
    """
    _compile(model, epochs * len(batches), learning_rate, recipe)
    records: list[Losses] = []
    overflowed = False
    for epoch in range(1, epochs + 1):
        train_loss = _train_epoch(model, batches)
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        scores = validation.score(epoch)
        if scores is None:
            overflowed = True
            break
        records.append({"epoch": epoch, "learning_rate": rate, "train_loss": train_loss, **scores})
        report(records[-1])
        if validation.enough(epoch):
            break
    validation.restore()
    decisive = (records[-1], records[validation.best_epoch - 1])
    return overflowed or any(item["train_loss"] + item["validation_loss"] > 2 * DIVERGED_LOSS for item in decisive)


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
        jit_compile=device.jit_compile(),
    )
    if device.replicas() > 1:
        # Keras builds some state from the first batch, which fails for a distributed batch.
        zeros = [np.zeros((device.replicas(), *tensor.shape[1:]), np.float32) for tensor in model.inputs]
        model.test_on_batch(zeros if len(zeros) > 1 else zeros[0], np.zeros((device.replicas(), 1)))
    # If its variables were created in the first step, TensorFlow would trace that step twice.
    model.optimizer.build(model.trainable_variables)


def _train_epoch(model: keras.Model, batches: Batches) -> float:
    """Trains one epoch; returns the mean loss of its steps.

    Not `model.fit`: its tf.data pipeline makes the C library return memory after every operation, in spite of
    `process.keep_freed_memory`, which doubles the time of a step.
    """
    losses = []
    for batch in batches:
        inputs, labels, weights = device.share(batch)
        losses.append(model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)["loss"])
    return float(np.mean(losses))


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights of examples, float (N,), with equal sums for both classes and mean 1."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * counts))[labels]


def clock() -> Callable[[], float]:
    """Returns a function that returns the seconds since this call."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
