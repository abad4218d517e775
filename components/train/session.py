"""One training, of one regime with one seed: what its phases share, and where it can stop and continue."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components import console, machine
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import Cost, DatasetId, Epoch, HeadChoice
from components.console import Say
from components.train import device, networks
from components.train.batches import Batches, Compute, as_views, computation
from components.train.checkpoint import Checkpoint, used
from components.train.fitting import Losses, Phase, balanced_weights
from components.train.interruption import Interruption
from components.train.linear_head import Fit, Head, fit_head
from components.train.networks import Network
from components.train.recipe import Recipe
from components.train.selection import Candidate
from components.train.stored_features import Examples, StoredFeatures
from components.train.validation import Validation

HEAD_WARM_UP, TRAINING = "head warm-up", "training"

STATE = "state"
"""Name of the file of the checkpoint that has the state of a phase; those of features have the features' names."""


class Session:
    """State that the phases of one training share: data, recipe, clock, history, stored features, checkpoint.

    Args:
        data: the prepared dataset.
        regime: one of `names.REGIMES`.
        recipe: hyperparameters.
        seed: of this training.
        stored: stored features by name, reused by the next seeds.
        checkpoint: of this training; what it contains is continued.
        interruption: requests to stop.
        named: whether progress messages name the seed.
        candidate: what they call this training among those of a search; "" for none.
        say: prints progress messages; None for `console.say`.

    Attributes:
        history: one entry per epoch so far.
        loaded_weights: whether the frozen weights were loaded, so that they do not depend on the seed.
        diverged: whether the last phase diverged.
        resumed: how often this training was continued from a checkpoint.
        head: how the head on frozen features was found; None without one.
        best: validation scores of the best epoch of the last phase; None before, and without epochs.
    """

    def __init__(
        self,
        data: PreparedDataset,
        regime: str,
        recipe: Recipe,
        seed: int,
        stored: dict[str, StoredFeatures],
        checkpoint: Checkpoint,
        interruption: Interruption,
        named: bool,
        candidate: str = "",
        say: Say | None = None,
    ):
        self.regime, self.recipe, self.seed = regime, recipe, seed
        self.splits = data.splits
        self.dataset: DatasetId = {"fingerprint": data.info["fingerprint"], "image_size": data.info["image_size"]}
        self.image_size = data.info["image_size"]
        self.images = Examples(*([as_views(data.splits[name].images)] for name in ("train", "validation")))
        self.history: list[Epoch] = []
        self.loaded_weights = False
        self.diverged = False
        self.resumed = 0
        self.head: HeadChoice | None = None
        self.best: Candidate | None = None
        self.candidate = candidate
        self._stored, self._say = stored, say or partial(console.say, speaker(regime, seed, named, candidate))
        # A training that starts anew has the checkpoint of the session that failed.
        self._started = time.perf_counter() - checkpoint.seconds
        self._spared, self._earlier_checkpoints = 0.0, 0.0
        self._earlier_peaks: tuple[float, float | None] = (0.0, None)
        self._checkpoint, self._interruption = checkpoint, interruption
        self._saved = checkpoint.load(STATE)
        device.set_seed(seed)

    def seconds(self) -> float:
        """Training time so far, of earlier processes too; with that of reused features, and without checkpoints."""
        return time.perf_counter() - self._started + self._spared - self._checkpoint.seconds

    def checkpoint_seconds(self) -> float:
        """Time that saving checkpoints took, in earlier processes too."""
        return self._checkpoint.seconds + self._earlier_checkpoints

    def peak_memory_mb(self) -> float:
        """Peak resident memory (1e6 bytes) of this process and of earlier ones of this training."""
        return max(machine.peak_memory_mb(), self._earlier_peaks[0])

    def peak_gpu_memory_mb(self) -> float | None:
        """Peak memory of the first GPU (1e6 bytes), likewise; None without a GPU."""
        peaks = [peak for peak in (device.peak_gpu_memory_mb(), self._earlier_peaks[1]) if peak is not None]
        return max(peaks, default=None)

    @property
    def epochs(self) -> int:
        """Number of epochs of the last phase that were trained so far; 0 where the head alone is trained."""
        return sum(entry["phase"] == TRAINING and "strength" not in entry for entry in self.history)

    def say(self, message: str) -> None:
        """Prints a progress message."""
        self._say(message)

    def past(self, phase: str) -> bool:
        """Whether the checkpoint is of a later phase, so that this one need not be trained again."""
        return self._saved is not None and self._saved.get("phase") == TRAINING != phase

    def store(self, name: str, model: keras.Model, augment: Sequence[Compute], inputs: Examples) -> Examples:
        """Stores a model's outputs for the inputs, and for further, augmented views of the training inputs.

        Args:
            name: of these features; they are reused by name.
            model: computes the features; its weights depend on the seed unless `loaded_weights`.
            augment: one function from inputs to augmented inputs for each further view.
            inputs: inputs of the model.
        """
        features = self._stored[name]
        if saved := self._checkpoint.load(name):
            with used():
                self._continue(saved)
                count = inputs.train[0].shape[1], inputs.validation[0].shape[1]
                return features.take(
                    Examples(saved["train"], saved["validation"]), saved["shared_seconds"], model.outputs, count
                )
        begun = time.perf_counter()
        examples = features.compute(computation(model), augment, inputs, model.outputs, anew=not self.loaded_weights)
        seconds = time.perf_counter() - begun
        self._spared += features.spared_seconds
        if self._checkpoint.worth_storing(examples.nbytes, seconds):
            arrays = {"train": examples.train, "validation": examples.validation}
            self._save(name, arrays | {"shared_seconds": features.shared_seconds})
        return examples

    def fit(
        self, phase: str, model: keras.Model, scored: keras.Model, examples: Examples, **settings: float
    ) -> Validation:
        """Trains one phase; the result knows its best epoch.

        Args:
            phase: `HEAD_WARM_UP` or `TRAINING`.
            model: the model to train; shares its weights with `scored`.
            scored: returns the logits of the validation examples.
            examples: inputs of both models.
            settings: epochs, learning_rate, patience.
        """
        train, validation = self.splits["train"], self.splits["validation"]
        epochs, patience = int(settings["epochs"]), int(settings["patience"])
        labels, patients = validation.labels, validation.index["patient"].to_numpy()
        monitor = Validation(scored, examples.validation, labels, patients, balanced_weights(labels), patience)
        batches = Batches(
            examples.train, train.labels, balanced_weights(train.labels), self.recipe.batch_size, self.seed
        )
        training = Phase(model, batches, monitor, epochs, settings["learning_rate"], self.recipe)
        if self._saved and self._saved.get("phase") == phase:
            with used():
                training.state = self._saved["state"]
                self._continue(self._saved)
                self.history, self.head = self._saved["history"], self._saved["head"]
            self.say(f"{phase}: continues after {training.done}")
            self._saved = None

        def report(record: Losses) -> None:
            self.history.append({"phase": phase, "seconds": self.seconds(), **record})

        def pause(epoch_complete: bool) -> None:
            # Saving comes first: when a pod is deleted, printing fails.
            if self._interruption.requested or self._checkpoint.due(epoch_complete):
                state = {"phase": phase, "state": training.state, "history": self.history, "head": self.head}
                self._save(STATE, state)
            self._interruption.check()
            if epoch_complete:
                self.say(f"{phase}: {_described(self.history[-1], epochs)}")

        with self._interruption.deferred():
            # Only the last phase counts, since it can recover from an earlier one.
            self.diverged = training.run(report, pause)
        self.best = monitor.best
        return monitor

    def solve(self, phase: str, network: Network, features: Examples) -> Head:
        """Finds the head on frozen features and sets its scaling and weights.

        Args:
            phase: `HEAD_WARM_UP` or `TRAINING`.
            network: built by `networks.on_backbone`.
            features: pooled features, one array.
        """
        body = network.network
        networks.set_feature_scale(body, features.train[0][0])
        scaled = [networks.scaled_features(body, part[0]) for part in (features.train, features.validation)]
        train, validation = self.splits["train"], self.splits["validation"]
        views, labels = len(scaled[0]), validation.labels
        weights = np.tile(balanced_weights(train.labels) / views, views)

        def report(fit: Fit) -> None:
            self.history.append(_entry(fit, phase, len(self.history) + 1, self.seconds()))
            self._interruption.check()

        head = fit_head(
            network.widths,
            (scaled[0].reshape(len(weights), -1), np.tile(train.labels, views), weights),
            (scaled[1][0], labels, balanced_weights(labels), validation.index["patient"].to_numpy()),
            report,
        )
        networks.set_head(body, head.kernel, head.bias)
        self.head = {"depths": list(head.fit.depths), "strength": head.fit.strength}
        self.say(
            f"{phase}: head on {' and '.join(head.fit.depths)}, strength {head.fit.strength:g}, "
            f"loss {head.fit.train_loss:.3f}, validation loss {head.fit.validation_loss:.3f}, "
            f"ROC AUC {head.fit.validation_auc:.4f}, {self.seconds():.0f} s"
        )
        return head

    def cost(self, network: Network, seconds: float, model_file: Path) -> Cost:
        """The cost of the training, for the record.

        Args:
            network: the trained network.
            seconds: time of training.
            model_file: the saved model.
        """
        epochs = [entry["phase"] for entry in self.history if "strength" not in entry]
        return {
            "train_seconds": seconds,
            "epochs": self.epochs,
            "images_per_second": max(1, len(epochs)) * len(self.splits["train"]) / seconds,
            "parameters": network.parameters,
            "trainable_parameters": network.trainable_parameters,
            "model_mb": model_file.stat().st_size / 1e6,
            "peak_memory_mb": self.peak_memory_mb(),
            "peak_gpu_memory_mb": self.peak_gpu_memory_mb(),
        }

    def _save(self, name: str, content: Mapping[str, Any]) -> None:
        so_far = {
            "seconds": self.seconds(),
            "checkpoint_seconds": self.checkpoint_seconds(),
            "resumed": self.resumed,
            "peak_memory_mb": self.peak_memory_mb(),
            "peak_gpu_memory_mb": self.peak_gpu_memory_mb(),
        }
        self._checkpoint.save(name, {**content, **so_far})

    def _continue(self, saved: Mapping[str, Any]) -> None:
        """Takes over what was known when a file was saved; time that led to nothing that was saved does not count."""
        self._started = time.perf_counter() - saved["seconds"] - self._checkpoint.seconds
        self._spared, self._earlier_checkpoints = 0.0, saved["checkpoint_seconds"]
        self.resumed = max(self.resumed, saved["resumed"] + 1)
        self._earlier_peaks = saved["peak_memory_mb"], saved["peak_gpu_memory_mb"]


def _entry(fit: Fit, phase: str, number: int, seconds: float) -> Epoch:
    return {
        "phase": phase,
        "epoch": number,
        "seconds": seconds,
        "learning_rate": 0.0,
        "train_loss": fit.train_loss,
        "validation_loss": fit.validation_loss,
        "validation_auc": fit.validation_auc,
        "strength": fit.strength,
        "depths": list(fit.depths),
    }


def _described(entry: Epoch, epochs: int) -> str:
    return (
        f"epoch {entry['epoch']}/{epochs}, loss {entry['train_loss']:.3f}, validation loss "
        f"{entry['validation_loss']:.3f}, ROC AUC {entry['validation_auc']:.4f}, {entry['seconds']:.0f} s"
    )


def speaker(regime: str, seed: int, named: bool, candidate: str = "") -> str:
    """The beginning of the progress messages of a training.

    Args:
        regime: one of `names.REGIMES`.
        seed: of the training.
        named: whether messages name the seed.
        candidate: of a search; "" for none.
    """
    return f"train {regime}{f', seed {seed}' if named else ''}{candidate and f', {candidate}'}"
