"""The search for the learning rate, and for how many layers partial fine-tuning trains: the same for every regime.

For each seed, every candidate is a training of its own, and the best is kept by the rule that chooses an epoch
(`selection.EpochChoice`), on validation alone. A head that is solved has no learning rate: transfer learning chooses
the strength of the penalty instead, as it always does.
"""

import gc
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from components import console
from components.artifacts import tuning as artifact
from components.artifacts.prepared_dataset import Split
from components.artifacts.trained_model import KIND, TrainingRecord
from components.console import Say, UserError
from components.parameters import TrainParameters
from components.train import candidates
from components.train.batches import Compute
from components.train.candidates import Setting, Trained, Tried
from components.train.checkpoint import Checkpoint
from components.train.checkpoint_folder import Place
from components.train.selection import Candidate
from components.train.session import TRAINING, Session, speaker
from components.train.stored_features import Examples, Store, StoredFeatures
from components.train.validation import DivergedError

LOST = "lost"
"""Name of the file of a checkpoint which says that a candidate diverged in its first epoch."""


class MakeSession(Protocol):
    """Makes the session of a training."""

    def __call__(
        self, seed: int, kept: Checkpoint, own: TrainParameters, stored: dict[str, StoredFeatures], candidate: str
    ) -> Session:
        """The session.

        Args:
            seed: of the training.
            kept: its checkpoint.
            own: its parameters.
            stored: features that it shares with others.
            candidate: what messages call it.
        """


class SharedFeatures(StoredFeatures):
    """Features that the candidates of a seed share, augmented views included, and that seeds share in part.

    Args:
        store: creates the arrays.
    """

    def __init__(self, store: Store):
        super().__init__(store)
        self._of_this_seed: Examples | None = None

    def next_seed(self) -> None:
        """Forgets what depends on the seed."""
        self._of_this_seed = None

    def compute(
        self,
        plain: Compute,
        augment: Sequence[Compute],
        inputs: Examples,
        outputs: Sequence[keras.KerasTensor],
        anew: bool,
    ) -> Examples:
        """Computes the features for the first candidate of a seed; see `StoredFeatures.compute`."""
        if self._of_this_seed is None:
            self._of_this_seed = super().compute(plain, augment, inputs, outputs, anew)
        else:
            self.spared_seconds = 0.0  # the time is that of the first candidate
        return self._of_this_seed

    def take(
        self, saved: Examples, shared_seconds: float, outputs: Sequence[keras.KerasTensor], count: tuple[int, int]
    ) -> Examples:
        """Takes the features of an interrupted process; see `StoredFeatures.take`."""
        self._of_this_seed = super().take(saved, shared_seconds, outputs, count)
        return self._of_this_seed


class Search:
    """The trainings of one regime: one for each seed, or one for each seed and candidate.

    Args:
        regime: one of `names.REGIMES`.
        parameters: say what is searched.
        validation: the validation split.
        place: of the checkpoints.
        store: of stored features.
        stored: features that trainings without a search share.
        session: makes the session of a training.
        train: trains in a session and saves the model in a new folder.

    Attributes:
        settings: the candidates; empty without a search.
    """

    def __init__(
        self,
        regime: str,
        parameters: TrainParameters,
        validation: Split,
        place: Place,
        store: Store,
        stored: dict[str, StoredFeatures],
        session: MakeSession,
        train: Callable[[Session, TrainParameters, Path], TrainingRecord],
    ):
        self._regime, self._parameters, self._validation = regime, parameters, validation
        self._place, self._session, self._train, self._alone = place, session, train, stored
        self._images: list[str] = validation.index["image"].tolist()
        self.settings = candidates.settings(regime, parameters)
        # The cut, and with it the features, depends on the number of trainable layers.
        self._stored: dict[int, dict[str, StoredFeatures]] = {
            own.layers: defaultdict(lambda: SharedFeatures(store)) for own in self.settings
        }

    def run(self, seed: int, kept: Checkpoint, folder: Path) -> TrainingRecord:
        """Trains with one seed, every candidate if there are any, and saves the model, or the best, in a new folder.

        Args:
            seed: of the trainings.
            kept: checkpoint of a training without candidates.
            folder: of the model.

        Raises:
            DivergedError: every candidate diverged in its first epoch.
        """
        if not self.settings:

            def train() -> TrainingRecord:
                return self._train(
                    self._session(seed, kept, self._parameters, self._alone, ""), self._parameters, folder
                )

            return candidates.with_penalties(kept.or_anew(train, self._alone.clear), self._parameters)
        return self._search(seed, folder)

    def _search(self, seed: int, folder: Path) -> TrainingRecord:
        for features in (own for stored in self._stored.values() for own in stored.values()):
            if isinstance(features, SharedFeatures):
                features.next_seed()
        with tempfile.TemporaryDirectory(prefix=".candidates-", dir=folder.parent) as base:
            tried = [self._try(seed, setting, Path(base) / str(setting.number)) for setting in self.settings]
            chosen = candidates.best(tried, self._validation)
            (Path(base) / str(chosen.setting.number)).rename(folder)
        logits = {own.setting.number: own.scores.logits for own in tried if isinstance(own, Trained)}
        artifact.save(folder, self._images, logits)
        record = candidates.joined(tried, chosen, self._parameters)
        say = self._speaker(seed)
        say(
            f"kept {self._named(chosen.setting)}, by validation the best of {len(tried)} candidates, "
            f"{record['cost']['train_seconds']:.1f} s for all of them"
        )
        if record.get("diverged"):
            say("every candidate diverged, so the results say nothing about the regime: choose a lower learning rate")
        return record

    def forget(self, seed: int) -> None:
        """Removes the checkpoints of the candidates of a seed that is finished."""
        for setting in self.settings:
            self._place.checkpoint(seed, self._speaker(seed), setting.number).forget()

    def _named(self, setting: Setting) -> str:
        """A candidate in messages."""
        rate = f"learning rate {setting.of(self._parameters).learning_rate:g}"
        return f"{rate}, trainable layers {setting.layers}" if self._regime == "partial_fine_tuning" else rate

    def _speaker(self, seed: int, candidate: str = "") -> Say:
        return partial(console.say, speaker(self._regime, seed, self._parameters.seeds > 1, candidate))

    def _try(self, seed: int, setting: Setting, folder: Path) -> Tried:
        """Trains a candidate, or takes what an interrupted process has found.

        Args:
            seed: of the training.
            setting: the candidate.
            folder: new folder for the model.
        """
        own, stored, name = setting.of(self._parameters), self._stored[setting.layers], self._named(setting)
        say = self._speaker(seed, name)
        kept = self._place.checkpoint(seed, say, setting.number)
        if found := self._taken(setting, seed, kept, folder):
            return found

        def train() -> Tried:
            session = self._session(seed, kept, own, stored, name)
            try:
                record = self._train(session, own, folder)
            except DivergedError:
                say("the training diverged in its first epoch, so this candidate is lost")
                kept.save(LOST, {"lost_after": session.seconds()})
                return Tried(setting, session.seconds())
            if session.diverged:
                say("the training diverged, so this candidate is kept only if all of them diverged")
            if session.best:
                artifact.save(folder, self._images, {setting.number: session.best.logits})
            return self._trained(setting, record, folder)

        tried = kept.or_anew(train, stored.clear)
        gc.collect()  # as between seeds
        if isinstance(tried, Trained) and setting != self.settings[-1]:
            kept.finish(folder, tried.record)
        return tried

    def _taken(self, setting: Setting, seed: int, kept: Checkpoint, folder: Path) -> Tried | None:
        """What an interrupted process has found of a candidate; None if it has not finished it."""
        if record := kept.finished(self._regime, seed, folder):
            try:
                return self._trained(setting, record, folder)
            except UserError:  # its scores are missing or damaged
                shutil.rmtree(folder)
        lost = kept.load(LOST)
        return Tried(setting, lost["lost_after"]) if lost and "lost_after" in lost else None

    def _trained(self, setting: Setting, record: TrainingRecord, folder: Path) -> Trained:
        """A candidate as its folder has it: its scores come from the file, so that interruptions change nothing."""
        table, column = artifact.load(folder, KIND), str(setting.number)
        if column not in table or table["image"].tolist() != self._images:
            raise UserError(f"{folder / artifact.SCORES} is of another training")
        epochs = [entry for entry in record["history"] if entry["phase"] == TRAINING]
        epoch = epochs[(record["best_epoch"] or 0) - 1]
        auc, loss = epoch["validation_auc"] or 0.0, epoch["validation_loss"] or 0.0
        scores = Candidate(setting.number, auc, loss, table[column].to_numpy(np.float64))
        return Trained(setting, record["cost"]["train_seconds"], record, scores)
