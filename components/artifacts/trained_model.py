"""The trained models of one regime: a Keras file and a training record for each seed. Written by train."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from components.artifacts import failed_training, files
from components.artifacts.tuning import Tuning
from components.console import UserError, one_line

KIND = "trained model"
COLLECTION = "trained models"
INDEX = "models.json"
RECORD = "training.json"


class Backbone(TypedDict):
    """A pre-trained network in a model.

    Attributes:
        name: one of `names.BACKBONES`.
        weights: "imagenet", "bundled", "none", or a file's name and the beginning of its SHA-256.
    """

    name: str | None
    weights: str | None


class DatasetId(TypedDict):
    """The prepared dataset that a model was trained on or evaluated on.

    Attributes:
        fingerprint: SHA-256 over images and labels, see `prepared_dataset.fingerprint`.
        image_size: height and width in px.
    """

    fingerprint: str
    image_size: int


class HeadChoice(TypedDict):
    """How the head on frozen features was found.

    Attributes:
        depths: names of the layers whose feature maps it sees, input first.
        strength: inverse strength of its L2 penalty, as `C` of scikit-learn's `LogisticRegression`.
    """

    depths: list[str]
    strength: float


class Epoch(TypedDict):
    """State of a training after an epoch, or one solution for the head, which has its own penalty and depths.

    Attributes:
        phase: "head warm-up" or "training".
        epoch: counted from 1 in each phase.
        seconds: since the start of the training.
        learning_rate: of the step after the epoch; 0 for a solution.
        train_loss, validation_loss: class-weighted binary cross-entropy (nats).
        validation_auc: ROC AUC; None if scores are NaN.
        strength, depths: of a solution, see `HeadChoice`.
    """

    phase: str
    epoch: int
    seconds: float
    learning_rate: float
    train_loss: float | None
    validation_loss: float | None
    validation_auc: float | None
    strength: NotRequired[float]
    depths: NotRequired[list[str]]


class Cost(TypedDict):
    """Cost of a training.

    Attributes:
        train_seconds: from reading the first images to restoring the best weights, without imports and saving.
        epochs: number of epochs trained; 0 where the head alone is trained, which is solved directly.
        images_per_second: training images of all epochs over `train_seconds`; without epochs those of one pass.
        parameters, trainable_parameters: counts.
        model_mb: size of the saved model (1e6 bytes).
        peak_memory_mb: peak resident memory of the process (1e6 bytes), over all seeds of the task.
        peak_gpu_memory_mb: peak memory of the first GPU (1e6 bytes); None without a GPU.
    """

    train_seconds: float
    epochs: int
    images_per_second: float
    parameters: int
    trainable_parameters: int
    model_mb: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None


class Hardware(TypedDict):
    """Machine that a training ran on.

    Attributes:
        cpu: model name.
        cores: number of processors that the process may use.
        memory_gb: of the machine (1e9 bytes).
        gpu: model name, with a count if there are several; None without a GPU.
    """

    cpu: str
    cores: int
    memory_gb: float
    gpu: str | None


class TrainingRecord(files.Header):
    """The content of `training.json`.

    Attributes:
        regime: one of `names.REGIMES`, or `names.BASELINE`.
        seed: of weight initialisation, order of examples and augmentation.
        backbone: None for models without a backbone.
        recipe: training settings by name, see `train.recipe.Recipe`.
        history: one entry per epoch, and one per solution for the head.
        best_epoch: the epoch whose weights were kept, see `train.selection`; where the head alone is trained, the
            number of its solution; None for models without epochs.
        highest_auc_epoch: the epoch with the highest validation ROC AUC. Records of earlier versions, which kept that
            epoch, do not have it.
        head: how the head on frozen features was found, before fine-tuning if there is any; missing for models without
            a backbone and in records of earlier versions.
        diverged: whether the training diverged, see `train.fitting.Phase`.
        resumed: how often the training was continued from a checkpoint; missing if never. Its time is then that of the
            processes together, without what each of them lost, and its memory the highest of them.
        checkpoint_seconds: time that saving checkpoints took, which `cost` does not contain; missing without them.
        cost: time, size and memory.
        hardware: the machine; None for the baseline.
        deterministic: whether operations were deterministic, so that the same seed gives the same model on this
            machine. The baseline and records of earlier versions do not have it.
        dataset: the training data.
        tuning: the search for the learning rate or the number of trainable layers, whose time `cost` contains; missing
            without one. Everything else is of the candidate that was kept.
    """

    regime: str
    seed: int
    backbone: Backbone | None
    recipe: dict[str, float | int | str]
    history: list[Epoch]
    best_epoch: int | None
    highest_auc_epoch: NotRequired[int]
    head: NotRequired[HeadChoice]
    diverged: NotRequired[bool]
    resumed: NotRequired[int]
    checkpoint_seconds: NotRequired[float]
    cost: Cost
    hardware: Hardware | None
    deterministic: NotRequired[bool]
    dataset: DatasetId
    tuning: NotRequired[Tuning]


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and its training record.

    On disk, in a folder for each seed (`files.seed_folder`): `model.keras` (takes uint8 (N, H, W, 1), gives float32
    (N, 1), the probability of pneumonia; includes all preprocessing except resizing) and `training.json`; after a
    search over trainings also `tuning.csv` (see `tuning.save`).

    Attributes:
        folder: of this model.
        training: content of `training.json`.
    """

    folder: Path
    training: TrainingRecord

    @property
    def model_file(self) -> Path:
        """The Keras model file."""
        return self.folder / "model.keras"

    @classmethod
    def load(cls, folder: str | Path) -> "TrainedModel":
        """Reads `training.json`; the model itself stays on disk.

        Raises:
            UserError: a file is missing or of another kind.
        """
        folder = Path(folder)
        model = cls(folder, cast(TrainingRecord, files.read_json(folder / RECORD, KIND)))
        if not model.model_file.is_file():
            raise UserError(f"{folder} is not a complete {KIND}: it has no {model.model_file.name}; run the step again")
        return model


def best_epoch_is_last(training: TrainingRecord) -> bool:
    """Whether the epoch that was kept is the last of all epochs asked for, so that further ones might be better."""
    solved = training["cost"]["epochs"] == 0
    last = training["best_epoch"] is not None and training["best_epoch"] == training["recipe"].get("epochs")
    return last and not solved and not training.get("diverged")


def arguments(training: TrainingRecord) -> dict[str, Any]:
    """The arguments of a training as they were given, without what a search found."""
    tuning = training.get("tuning")
    return training["made_by"]["arguments"] | (tuning["given"] if tuning else {})


def load_all(folder: str | Path) -> list[TrainedModel]:
    """Loads the models of a trained-models artifact, one for each seed, in the order of training.

    Args:
        folder: the artifact, or the folder of a single model in it.

    Raises:
        UserError: a file is missing or of another kind, or the training failed.
    """
    if failure := failed_training.load(folder):
        raise UserError(f"{folder} has no models, since the training failed: {one_line(failure['reason'])}")
    return [TrainedModel.load(own) for own in files.seed_folders(Path(folder), INDEX, COLLECTION, RECORD)]


def save_all(folder: Path, trainings: Sequence[TrainingRecord]) -> None:
    """Writes `training.json` next to each saved model file, and the index of all seeds.

    Args:
        folder: of the artifact.
        trainings: content of `training.json` for each seed, all of one regime.
    """
    for training in trainings:
        files.write_json(files.seed_folder(folder, training["seed"]) / RECORD, training)
    files.write_seeds(folder / INDEX, COLLECTION, trainings)
