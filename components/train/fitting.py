"""The training loop: AdamW, a cosine schedule, validation after every epoch, early stopping, best weights restored."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from components.console import UserError
from components.train import device
from components.train.batches import Batches, predict
from components.train.optimizer import FlatAdamW
from components.train.recipe import Recipe

DIVERGED_LOSS = 2.0
"""An epoch whose losses of training and validation are more on average tells of divergence: every image then gets 14%
for the class that it has. A model that knows nothing has 0.69."""


class Validation:
    """Scores the validation split, keeps the best weights, and says when training no longer helps.

    Better means a higher ROC AUC, and at equal AUC a lower loss.

    Args:
        model: gives the logits of the validation inputs; shares its weights with the model that is trained.
        arrays: validation inputs, (1, N, ...) each.
        labels: (N,), 0 or 1.
        weights: (N,), weights of the examples in the loss.
        patience: epochs without improvement before training should stop; 0 never stops it.
    """

    def __init__(
        self, model: keras.Model, arrays: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray, patience: int
    ):
        self._model, self._arrays, self._labels, self._weights = model, arrays, labels, weights
        self._patience = patience
        self._best = (-1.0, 0.0)
        self._best_weights: list[np.ndarray] = []
        self.best_epoch = 0

    def score(self, epoch: int) -> dict[str, float] | None:
        """Scores the model as it is after `epoch` (from 1).

        Returns:
            validation_loss and validation_auc; None where the model gives no numbers any more.
        """
        logits = predict(self._model, self._arrays).astype(np.float64)
        if not np.isfinite(logits).all():
            return None
        auc = float(roc_auc_score(self._labels, logits))
        with np.errstate(over="ignore"):  # far below zero the probability is 0
            probabilities = 1 / (1 + np.exp(-logits))
        loss = float(log_loss(self._labels, probabilities, sample_weight=self._weights))
        if (auc, -loss) > self._best:
            self._best, self._best_weights, self.best_epoch = (auc, -loss), self._model.get_weights(), epoch
        return {"validation_loss": loss, "validation_auc": auc}

    def enough(self, epoch: int) -> bool:
        """Whether training should stop after `epoch`."""
        return bool(self._patience) and epoch - self.best_epoch >= self._patience

    def restore(self) -> None:
        """Gives the model the best epoch's weights.

        Raises:
            UserError: no epoch left a model that gives numbers.
        """
        if not self._best_weights:
            raise UserError("the training diverged in its first epoch: choose a lower learning rate")
        self._model.set_weights(self._best_weights)


def fit(
    model: keras.Model,
    batches: Batches,
    validation: Validation,
    epochs: int,
    learning_rate: float,
    recipe: Recipe,
    report: Callable[[dict[str, Any]], None],
) -> bool:
    """Trains `model` in place and leaves it with its best weights.

    Args:
        model: gives logits.
        batches: training examples.
        validation: scores each epoch.
        epochs: at most so many.
        learning_rate: its peak.
        recipe: shape of the schedule, weight decay.
        report: is given the record of each epoch.

    Returns:
        Whether the training diverged: its numbers overflowed, or its last or its best epoch is far worse than knowing
        nothing.

    Raises:
        UserError: it overflowed in its first epoch, so that there is no model.
    """
    steps = epochs * len(batches)
    rising = max(1, round(recipe.rising_fraction * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )
    if steps == 1:
        schedule = learning_rate  # the first step of the rise has rate 0, and there is no second one
    # The flat one knows nothing of TensorFlow's replicas.
    optimizer = keras.optimizers.AdamW if device.replicas() > 1 else FlatAdamW
    model.compile(
        optimizer=optimizer(schedule, weight_decay=recipe.weight_decay),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=device.jit_compile(),
    )
    if device.replicas() > 1:
        # What Keras builds when it sees the first batch, it cannot build from one in parts.
        zeros = [np.zeros((device.replicas(), *tensor.shape[1:]), np.float32) for tensor in model.inputs]
        model.test_on_batch(zeros if len(zeros) > 1 else zeros[0], np.zeros((device.replicas(), 1)))
    # Made inside the first step, its variables would have that step traced twice.
    model.optimizer.build(model.trainable_variables)
    records, overflowed = [], False
    for epoch in range(1, epochs + 1):
        losses = []
        # Not model.fit: its tf.data pipeline makes the C library return memory after every operation (`memory.py`),
        # which doubles the time of a step.
        for batch in batches:
            inputs, labels, weights = device.share(batch)
            losses.append(model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)["loss"])
        rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        record = {"epoch": epoch, "learning_rate": rate, "train_loss": float(np.mean(losses))}
        scores = validation.score(epoch)
        if scores is None:
            overflowed = True
            break
        records.append(record | scores)
        report(records[-1])
        if validation.enough(epoch):
            break
    validation.restore()
    told = (records[-1], records[validation.best_epoch - 1])
    return overflowed or any(record["train_loss"] + record["validation_loss"] > 2 * DIVERGED_LOSS for record in told)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights (N,) that give both classes the same sum and have mean 1."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * counts))[labels]


def clock() -> Callable[[], float]:
    """A function that gives the seconds since this call."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
