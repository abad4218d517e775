"""The candidates of a search for the learning rate and the number of trainable layers, and which of them is best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from components.artifacts import files
from components.artifacts.prepared_dataset import Split
from components.artifacts.trained_model import Cost, TrainingRecord
from components.artifacts.tuning import Tuning, TuningCandidate
from components.parameters import LAYERS, MULTIPLES, TrainParameters, times
from components.train.selection import Candidate, EpochChoice
from components.train.session import TRAINING
from components.train.validation import DivergedError


@dataclass(frozen=True)
class Setting:
    """What distinguishes a candidate.

    Attributes:
        number: counted from 1.
        multiple: of the learning rate.
        layers: of the backbone that partial fine-tuning trains.
    """

    number: int
    multiple: float
    layers: int

    def of(self, parameters: TrainParameters) -> TrainParameters:
        """The parameters of the candidate."""
        rate = times(parameters.learning_rate, self.multiple)
        return replace(parameters, learning_rate=rate, trainable_layers=self.layers)


def settings(regime: str, parameters: TrainParameters) -> list[Setting]:
    """The candidates of a regime, those with the same stored features one after another; empty without a search.

    Args:
        regime: one of `names.REGIMES`.
        parameters: say what is searched.
    """
    multiples = MULTIPLES.read(parameters.tune_learning_rate)
    layers = LAYERS.read(parameters.tune_trainable_layers) if regime == "partial_fine_tuning" else []
    if regime == "transfer_learning" or not (multiples or layers):
        return []
    pairs = product(layers or [parameters.trainable_layers], multiples or [1.0])
    return [Setting(number, multiple, count) for number, (count, multiple) in enumerate(pairs, 1)]


@dataclass(frozen=True)
class Tried:
    """A candidate. If it diverged in its first epoch, this is all that there is of it.

    Attributes:
        setting: what distinguishes it.
        seconds: training time.
    """

    setting: Setting
    seconds: float


@dataclass(frozen=True)
class Trained(Tried):
    """A candidate with a model.

    Attributes:
        record: of its training.
        scores: of its best epoch, under the number of the candidate.
    """

    record: TrainingRecord
    scores: Candidate


def best(tried: Sequence[Tried], validation: Split) -> Trained:
    """The candidate to keep, by the rule that chooses an epoch; one that diverged only if all of them did.

    Args:
        tried: all candidates.
        validation: the validation split.

    Raises:
        DivergedError: every candidate diverged in its first epoch.
    """
    models = [own for own in tried if isinstance(own, Trained)]
    if not models:
        raise DivergedError("every candidate diverged in its first epoch: choose a lower learning rate")
    choice: EpochChoice[None] = EpochChoice(validation.labels, validation.index["patient"].to_numpy())
    for own in [own for own in models if not own.record.get("diverged")] or models:
        choice.add(own.scores, lambda: None)
    return next(own for own in models if own.scores.epoch == choice.epoch)


def joined(tried: Sequence[Tried], kept: Trained, given: TrainParameters) -> TrainingRecord:
    """The record of the kept candidate, with the search and the cost of all candidates.

    Args:
        tried: all candidates.
        kept: the one to keep.
        given: the parameters of the search.
    """
    records = [own.record for own in tried if isinstance(own, Trained)]
    costs, seconds = [record["cost"] for record in records], sum(own.seconds for own in tried)
    gpu_memory = [peak for cost in costs if (peak := cost["peak_gpu_memory_mb"]) is not None]
    cost: Cost = {
        **kept.record["cost"],
        "train_seconds": seconds,
        "epochs": sum(_epochs(own) for own in tried),
        "images_per_second": sum(own["images_per_second"] * own["train_seconds"] for own in costs) / seconds,
        "peak_memory_mb": max(own["peak_memory_mb"] for own in costs),
        "peak_gpu_memory_mb": max(gpu_memory, default=None),
    }
    record: TrainingRecord = {**kept.record, "cost": cost, "tuning": _described(tried, kept, given)}
    record["made_by"] = {
        **kept.record["made_by"],
        "started": records[0]["made_by"]["started"],
        "finished": files.timestamp(files.now()),
    }
    if resumed := sum(own.get("resumed", 0) for own in records):
        record["resumed"] = resumed
    if saving := sum(own.get("checkpoint_seconds", 0.0) for own in records):
        record["checkpoint_seconds"] = saving
    return record


def _epochs(tried: Tried) -> int:
    """The number of epochs, a warm-up not included."""
    return tried.record["cost"]["epochs"] if isinstance(tried, Trained) else 1


def _described(tried: Sequence[Tried], kept: Trained, given: TrainParameters) -> Tuning:
    partly = kept.record["regime"] == "partial_fine_tuning"
    values: dict[str, float | int] = {"learning_rate": given.learning_rate}
    varied = ["learning_rate"] if given.tune_learning_rate else []
    if partly:
        values["trainable_layers"] = given.trainable_layers
        varied += ["trainable_layers"] if given.tune_trainable_layers else []
    return {
        "varied": varied,
        "given": values,
        "candidates": [_candidate(own, given, partly) for own in tried],
        "chosen": kept.setting.number,
    }


def _candidate(tried: Tried, given: TrainParameters, partly: bool) -> TuningCandidate:
    setting, trained = tried.setting, tried if isinstance(tried, Trained) else None
    found: TuningCandidate = {
        "multiple": setting.multiple,
        "learning_rate": setting.of(given).learning_rate,
        "validation_auc": trained.scores.auc if trained else None,
        "validation_loss": trained.scores.loss if trained else None,
        "best_epoch": trained.record["best_epoch"] if trained else None,
        "epochs": _epochs(tried),
        "seconds": tried.seconds,
        "diverged": trained is None or bool(trained.record.get("diverged")),
    }
    if partly:
        found["trainable_layers"] = setting.layers
    return found


def with_penalties(record: TrainingRecord, given: TrainParameters) -> TrainingRecord:
    """The record of a training without candidates; that of a solved head with the search for its penalty.

    The head of transfer learning has no learning rate. Where the other regimes search for theirs, the solutions for
    several strengths of the penalty, which are always tried, are its candidates.

    Args:
        record: of a training.
        given: say whether the learning rate is searched.
    """
    if record["regime"] != "transfer_learning" or not given.tune_learning_rate:
        return record
    tuning: Tuning = {
        "varied": ["strength"],
        "given": {},
        "candidates": [
            {
                "strength": entry["strength"],
                "depths": entry["depths"],
                "validation_auc": entry["validation_auc"],
                "validation_loss": entry["validation_loss"],
            }
            for entry in record["history"]
            if entry["phase"] == TRAINING
        ],
        "chosen": record["best_epoch"] or 0,
    }
    return {**record, "tuning": tuning}
