"""Which epoch of a training is kept: of those whose ROC AUC is about the highest, the one with the lowest loss."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from components.roc_auc import covariance_of_areas

State = TypeVar("State")


@dataclass(frozen=True)
class Candidate:
    """The validation scores of an epoch that may still be chosen.

    Attributes:
        epoch: counted from 1.
        auc: ROC AUC.
        loss: class-weighted binary cross-entropy (nats).
        logits: float64 (N,).
    """

    epoch: int
    auc: float
    loss: float
    logits: np.ndarray


class EpochChoice(Generic[State]):
    """Chooses an epoch by its validation scores, and keeps the weights of those that may still be chosen.

    The highest of several ROC AUCs is chosen on noise where they differ by less than their standard error, and the
    ranking of the images says nothing about the probabilities. So, as in the one-standard-error rule of Breiman et al.
    (1984, Classification and Regression Trees, section 3.4.3), all epochs within one standard error of the highest ROC
    AUC count as equally good, and the loss decides between them. The standard error is that of the difference between
    two epochs on the same images (`roc_auc.covariance_of_areas`), which is much smaller than that of one ROC AUC.

    After each epoch only the candidates are kept: the epochs within one standard error of the highest ROC AUC so far,
    without those that another candidate equals or beats in both ROC AUC and loss. If all pairs had the same standard
    error, this would always give the choice of the rule applied to all epochs at the end: the highest ROC AUC only
    rises, so that no epoch comes back, and a beaten one falls out before the candidate that beats it. As the standard
    errors of pairs differ, an epoch that has fallen out might be within one again; it is not taken back. In 18
    trainings of the custom CNN for ten epochs both choices were the same.

    Args:
        labels: int (N,), 0 or 1; both present.
        patients: (N,), patient of each image.
    """

    def __init__(self, labels: np.ndarray, patients: np.ndarray):
        self._labels, self._patients = labels, patients
        self._candidates: list[Candidate] = []
        self._states: dict[int, State] = {}

    def add(self, new: Candidate, state: Callable[[], State]) -> None:
        """Takes the next epoch into account.

        Args:
            new: its scores.
            state: copies the weights; called only if the epoch may be chosen, and after those of others are dropped.
        """
        if any(_at_least_as_good(other, new) for other in self._candidates):
            return
        kept = [other for other in self._candidates if not _at_least_as_good(new, other)] + [new]
        # Of two epochs with the same ROC AUC one is at least as good, so that a single one has the highest.
        highest = max(kept, key=lambda candidate: candidate.auc)
        self._candidates = [candidate for candidate in kept if self._within_one_error(candidate, highest)]
        self._states = {number: self._states[number] for number in self.candidates if number in self._states}
        if new.epoch in self.candidates:
            self._states[new.epoch] = state()

    @property
    def kept(self) -> list[tuple[Candidate, State]]:
        """The candidates with their weights: all that later choices depend on."""
        return [(candidate, self._states[candidate.epoch]) for candidate in self._candidates]

    def restore(self, kept: Iterable[tuple[Candidate, State]]) -> None:
        """Takes over what another object `kept`."""
        self._candidates, self._states = [], {}
        for candidate, state in kept:
            self._candidates.append(candidate)
            self._states[candidate.epoch] = state

    @property
    def candidates(self) -> list[int]:
        """The epochs that may still be chosen, in their order."""
        return [candidate.epoch for candidate in self._candidates]

    @property
    def chosen(self) -> Candidate | None:
        """The scores of the chosen epoch, which has the lowest loss of the candidates; None before the first."""
        return min(self._candidates, key=lambda candidate: candidate.loss, default=None)

    @property
    def epoch(self) -> int:
        """The chosen epoch; 0 before the first."""
        return self.chosen.epoch if self.chosen else 0

    @property
    def state(self) -> State:
        """The weights of the chosen epoch."""
        return self._states[self.epoch]

    def _within_one_error(self, candidate: Candidate, highest: Candidate) -> bool:
        scores = np.stack([highest.logits, candidate.logits])
        _, covariance = covariance_of_areas(self._labels, self._patients, scores)
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        return bool(highest.auc - candidate.auc <= max(0.0, variance) ** 0.5)


def _at_least_as_good(one: Candidate, other: Candidate) -> bool:
    return one.auc >= other.auc and one.loss <= other.loss
