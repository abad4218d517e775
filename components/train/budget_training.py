"""One training on some of the patients, and what the trainings of a regime share: features below loaded weights."""

import gc
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from components import thresholds
from components.artifacts.label_budgets import BudgetTraining
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import Backbone
from components.console import Say
from components.inference.scoring import score
from components.parameters import LabelBudgetParameters
from components.train import heads, networks, regimes, subsets
from components.train.batches import as_views, computation, forward, predict
from components.train.checkpoint import Checkpoint, UnusableError
from components.train.interruption import Interruption
from components.train.networks import Network
from components.train.recipe import Recipe, with_enough_steps
from components.train.session import TRAINING, Session
from components.train.stored_features import Examples, Slices, Store, StoredFeatures
from components.train.subsets import Subset
from components.train.validation import DivergedError

Scores = tuple[np.ndarray, np.ndarray]
"""Of the validation images float64 (M,) and of all test images float64 (N,): probabilities of pneumonia."""


class Result(TypedDict):
    """What a training gives, and what it is kept as until the others are finished too.

    Attributes:
        training: for the record.
        scores: of all test images, float32 (N,).
        backbone: for the record.
        elapsed: seconds, with the scoring of test images, without `shared_seconds`.
        shared_seconds: see `Trainer`.
        peak_memory_mb: of the process so far (1e6 bytes).
    """

    training: BudgetTraining
    scores: np.ndarray
    backbone: Backbone | None
    elapsed: float
    shared_seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Job:
    """What all trainings have in common.

    Attributes:
        data: the whole dataset.
        test: images that every model scores, uint8 (N, H, W) each: the test split, and those of the external test set.
        regime: one of `names.REGIMES`.
        recipe: for the whole dataset.
        parameters: of the trainings.
        interruption: requests to stop.
        say: prints a message.
    """

    data: PreparedDataset
    test: Sequence[np.ndarray]
    regime: str
    recipe: Recipe
    parameters: LabelBudgetParameters
    interruption: Interruption
    say: Say

    @property
    def shares(self) -> bool:
        """Whether frozen layers compute the same for all subsets, so that their features are computed once."""
        return self.regime != "custom_cnn" and self.parameters.weights not in regimes.CALIBRATED


class Trainer:
    """Trains on subsets, one after another.

    Below loaded weights, features of all images are computed once, when the first training needs them: of the images
    themselves, and of augmented views made with the first seed, which all draws then have in common.

    Args:
        job: what the trainings have in common.
        kept: the checkpoint of what they share.
        store: creates arrays for shared features.

    Attributes:
        shared_seconds: time that it took to compute what they share.
    """

    def __init__(self, job: Job, kept: Checkpoint, store: Store):
        self._job, self._kept, self._store = job, kept, store
        self._features: Examples | None = None
        self._frozen: _Frozen | None = None
        self.shared_seconds = 0.0

    def train(self, subset: Subset, kept: Checkpoint) -> Result:
        """Trains on a subset, and scores all test images.

        Args:
            subset: of the patients.
            kept: the checkpoint of this training, which is continued.
        """
        if self._job.shares and self._features is None:
            _anew_if_unusable(self._share, self._kept, self._job.say)
        result = _anew_if_unusable(lambda: self._train(subset, kept), kept, self._job.say)
        gc.collect()  # networks have reference cycles, and the next one needs their memory
        return result

    def _share(self) -> None:
        job = self._job
        job.say("computing the features that all trainings share")
        stored: dict[str, StoredFeatures] = defaultdict(lambda: StoredFeatures(self._store))
        session = Session(
            job.data,
            job.regime,
            job.recipe,
            job.parameters.seed,
            stored,
            self._kept,
            job.interruption,
            False,
            say=_nothing,
        )
        network, base, trained = regimes.build(session, job.parameters)
        outputs = regimes.frozen_outputs(session, network, trained)
        features = regimes.augmented_features(session, network, outputs)
        if job.regime == "transfer_learning" and base:
            images = [job.data.splits["validation"].images, *job.test]
            pooled = [_pooled(network, split, self._store) for split in images]
            self._frozen = _Frozen(network, base.described, pooled[0], pooled[1:])
        self._features = features
        self.shared_seconds = session.seconds()

    def _train(self, subset: Subset, kept: Checkpoint) -> Result:
        job, data = self._job, subset.of(self._job.data)
        seed = job.parameters.seed + subset.draw - 1
        recipe = job.recipe
        if not subset.is_everything(job.data):
            recipe = with_enough_steps(recipe, len(data.splits["train"]), len(job.data.splits["train"]))
        with Store() as store:
            stored: dict[str, StoredFeatures] = defaultdict(lambda: StoredFeatures(store))
            if self._features:
                rows = subset.rows["train"], subset.rows["validation"]
                stored["features"] = slices = Slices(store, self._features, rows)
            session = Session(data, job.regime, recipe, seed, stored, kept, job.interruption, False, say=_nothing)
            try:
                score_all, backbone = (
                    self._frozen.solve(session, slices, subset.rows["validation"])
                    if self._frozen
                    else _fit(session, replace(job, data=data))
                )
            except DivergedError:  # one draw must not cost the others
                session.diverged = True
                score_all, backbone = (lambda: _unknown(data, job.test)), None
            seconds = session.seconds()
            validation, test = score_all()
        return {
            "training": _training(session, subset, data, validation, seconds, job.parameters.target_sensitivity),
            "scores": test.astype(np.float32),
            "backbone": backbone,
            "elapsed": session.seconds(),
            "shared_seconds": self.shared_seconds,
            "peak_memory_mb": session.peak_memory_mb(),
        }


class _Frozen:
    """The network of transfer learning, of which only the head differs from subset to subset.

    Args:
        network: with the head that was solved last.
        backbone: for records.
        validation: pooled features of the whole validation split, float32 (M, channels).
        test: of the test images, likewise.
    """

    def __init__(self, network: Network, backbone: Backbone, validation: np.ndarray, test: Sequence[np.ndarray]):
        self._network, self._backbone = network, backbone
        self._validation, self._test = validation, test
        self._heads: dict[int, keras.Model] = {}

    def solve(
        self, session: Session, features: Slices, validation: np.ndarray
    ) -> tuple[Callable[[], Scores], Backbone | None]:
        """Solves for the head of a subset; gives what scores the images with it, and the backbone.

        Args:
            session: of the subset.
            features: gives pooled features of the subset.
            validation: indices of its validation images.
        """
        head = session.solve(TRAINING, self._network, features.compute())
        kept = self._network.columns(head.fit.depths)
        width = int(kept.sum())
        if width not in self._heads:
            self._heads[width] = heads.alone(width)
        model = self._heads[width]
        heads.copy(self._network.network, kept, model)

        def score_all() -> Scores:
            parts = [predict(model, [part[None, :, kept]]) for part in (self._validation[validation], *self._test)]
            return parts[0].astype(np.float64), np.concatenate(parts[1:]).astype(np.float64)

        return score_all, self._backbone


def _pooled(network: Network, images: np.ndarray, store: Store) -> np.ndarray:
    """Pooled features as the saved model computes them, float32 (N, channels)."""
    body = networks.in_float32(network.network)
    (outputs,) = networks.cut(body, networks.HEAD_LAYERS)
    model = keras.Model(network.front.input, keras.Model(body.input, outputs)(network.front.output))
    features = store.array((len(images), outputs.shape[-1]))

    def receive(start: int, batch: list[np.ndarray]) -> None:
        features[start : start + len(batch[0])] = batch[0]

    forward(computation(model), [as_views(images)], 0, receive)
    return features


def _fit(session: Session, job: Job) -> tuple[Callable[[], Scores], Backbone | None]:
    """Builds and trains a network; gives what scores the images of a job with it, and its backbone."""
    network, base, trained = regimes.build(session, job.parameters)
    network, _ = regimes.fit(session, base, network, trained)

    def score_all() -> Scores:
        model = network.classifier()
        test = [score(model, images) for images in job.test]
        return score(model, job.data.splits["validation"].images), np.concatenate(test)

    return score_all, base.described if base else None


def _unknown(data: PreparedDataset, test: Sequence[np.ndarray]) -> Scores:
    """Scores where there is no model."""
    return np.full(len(data.splits["validation"]), np.nan), np.full(sum(map(len, test)), np.nan)


def _training(
    session: Session, subset: Subset, data: PreparedDataset, scores: np.ndarray, seconds: float, sensitivity: float
) -> BudgetTraining:
    """The record of a training with these scores of its validation images."""
    labels = data.splits["validation"].labels
    patients, images = subsets.counted(data)
    finite = bool(np.isfinite(scores).all())
    return {
        "budget": subset.budget,
        "draw": subset.draw,
        "seed": session.seed,
        "patients": patients,
        "images": images,
        "threshold": float(thresholds.choose(labels, scores, thresholds.main_rule(sensitivity))[0]) if finite else 0.5,
        "validation_auc": float(roc_auc_score(labels, scores)) if finite else None,
        "epochs": session.epochs,
        "diverged": session.diverged,
        "seconds": seconds,
    }


def _anew_if_unusable(train: Callable[[], Any], kept: Checkpoint, say: Say) -> Any:
    try:
        return train()
    except UnusableError as error:
        say(f"the checkpoint does not fit this training ({error}), so it starts anew")
        kept.remove()
        return train()


def _nothing(_: str) -> None:
    """Instead of a line for every epoch of every training."""
