"""Scores the validation split after every epoch: the best epoch, and when to stop."""

from collections.abc import Sequence
from typing import TypedDict

import keras
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from components.console import UserError
from components.train.batches import predict
from components.train.selection import Candidate, EpochChoice


class DivergedError(UserError):
    """A training diverged in its first epoch, so that there is no model."""


class Scores(TypedDict):
    """Scores of the validation split.

    Attributes:
        validation_loss: class-weighted binary cross-entropy (nats).
        validation_auc: ROC AUC.
    """

    validation_loss: float
    validation_auc: float


class CandidateState(TypedDict):
    """An epoch that may still be chosen; see `selection.Candidate`."""

    epoch: int
    auc: float
    loss: float
    logits: np.ndarray
    weights: list[np.ndarray]


class ValidationState(TypedDict):
    """What `Validation` has found so far.

    Attributes:
        highest: ROC AUC and negative loss of the epoch with the highest ROC AUC.
        highest_auc_epoch: that epoch.
        candidates: the epochs that may still be chosen, with their weights.
    """

    highest: list[float]
    highest_auc_epoch: int
    candidates: list[CandidateState]


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

    @property
    def best(self) -> Candidate | None:
        """The scores of that epoch; None before the first."""
        return self._choice.chosen

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

    @property
    def state(self) -> ValidationState:
        """What it has found so far."""
        candidates: list[CandidateState] = [
            {"epoch": own.epoch, "auc": own.auc, "loss": own.loss, "logits": own.logits, "weights": weights}
            for own, weights in self._choice.kept
        ]
        return {
            "highest": list(self._highest),
            "highest_auc_epoch": self.highest_auc_epoch,
            "candidates": candidates,
        }

    @state.setter
    def state(self, state: ValidationState) -> None:
        self._highest = (state["highest"][0], state["highest"][1])
        self.highest_auc_epoch = state["highest_auc_epoch"]
        self._choice.restore(
            (Candidate(own["epoch"], own["auc"], own["loss"], own["logits"]), own["weights"])
            for own in state["candidates"]
        )

    def enough(self, epoch: int) -> bool:
        """Whether training should stop after `epoch`."""
        return bool(self._patience) and epoch - self.highest_auc_epoch >= self._patience

    def restore(self) -> None:
        """Restores the weights of the best epoch.

        Raises:
            DivergedError: the logits were not finite after any epoch.
        """
        if not self.best_epoch:
            raise DivergedError("the training diverged in its first epoch: choose a lower learning rate")
        self._model.set_weights(self._choice.state)
