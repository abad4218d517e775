"""The training loop: AdamW, a cosine schedule, validation after every epoch, early stopping, best weights restored."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from components.train import device
from components.train.batches import Batches, predict
from components.train.recipe import Recipe


class Validation(keras.callbacks.Callback):
    """Scores the validation split after every epoch, keeps the best weights, ends training when nothing improves.

    Better means a higher ROC AUC, and at equal AUC a lower loss.

    Args:
        model: gives the logits of the validation inputs; shares its weights with the model that is trained.
        arrays: validation inputs, (1, N, ...) each.
        labels: (N,), 0 or 1.
        weights: (N,), weights of the examples in the loss.
        patience: epochs without improvement before training stops; 0 never stops.
        report: is given the record of each epoch.
    """

    def __init__(
        self,
        model: keras.Model,
        arrays: Sequence[np.ndarray],
        labels: np.ndarray,
        weights: np.ndarray,
        patience: int,
        report: Callable[[dict[str, Any]], None],
    ):
        super().__init__()
        self._scored, self._arrays, self._labels, self._weights = model, arrays, labels, weights
        self._patience = patience
        self._report = report
        self._best = (-1.0, 0.0)
        self._best_weights: list[np.ndarray] = []
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Scores, reports, remembers, perhaps stops."""
        logits = predict(self._scored, self._arrays).astype(np.float64)
        auc = float(roc_auc_score(self._labels, logits))
        probability = 1 / (1 + np.exp(-logits))
        loss = float(log_loss(self._labels, probability, sample_weight=self._weights))
        if (auc, -loss) > self._best:
            self._best = (auc, -loss)
            self._best_weights = self._scored.get_weights()
            self.best_epoch = epoch + 1
        elif self._patience and epoch + 1 - self.best_epoch >= self._patience:
            self.model.stop_training = True
        self._report(
            {
                "epoch": epoch + 1,
                "learning_rate": float(self.model.optimizer.learning_rate),
                "train_loss": float((logs or {})["loss"]),
                "validation_loss": loss,
                "validation_auc": auc,
            }
        )

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 (Keras's signature)
        """Restores the best epoch's weights."""
        self._scored.set_weights(self._best_weights)


def fit(
    model: keras.Model, batches: Batches, validation: Validation, epochs: int, learning_rate: float, recipe: Recipe
) -> None:
    """Trains `model` in place.

    Args:
        model: gives logits.
        batches: training examples.
        validation: scores each epoch.
        epochs: at most so many.
        learning_rate: its peak.
        recipe: shape of the schedule, weight decay.
    """
    steps = epochs * len(batches)
    rising = max(1, round(recipe.rising_fraction * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=learning_rate, warmup_steps=rising
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=device.jit_compile(),
    )
    model.fit(batches, epochs=epochs, callbacks=[validation], verbose=0, shuffle=False)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights (N,) that give both classes the same sum and have mean 1."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * counts))[labels]


def clock() -> Callable[[], float]:
    """A function that gives the seconds since this call."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
