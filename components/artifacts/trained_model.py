"""The trained models of one regime: for each seed a Keras file and the record of its training. Written by train."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from components.artifacts import files
from components.console import UserError

KIND = "trained model"
COLLECTION = "trained models"
INDEX = "models.json"


class Backbone(TypedDict):
    """A pre-trained network in a model.

    Attributes:
        name: one of `names.BACKBONES`.
        weights: "imagenet", "bundled", "none", or a file's name and the beginning of its SHA-256.
    """

    name: str | None
    weights: str | None


class DatasetId(TypedDict):
    """Which images a model was trained on or scored on.

    Attributes:
        fingerprint: SHA-256 over them and their labels, see `prepared_dataset.fingerprint`.
        image_size: height and width in px.
    """

    fingerprint: str
    image_size: int


class Epoch(TypedDict):
    """What a training was after an epoch.

    Attributes:
        phase: "head warm-up" or "training".
        epoch: from 1 in each phase.
        seconds: since the training began.
        learning_rate: of the epoch's last step.
        train_loss, validation_loss: class-weighted binary cross-entropy (nats).
        validation_auc: ROC AUC; None where scores are no numbers.
    """

    phase: str
    epoch: int
    seconds: float
    learning_rate: float
    train_loss: float | None
    validation_loss: float | None
    validation_auc: float | None


class Cost(TypedDict):
    """What a training took.

    Attributes:
        train_seconds: from the first look at the images to the best weights, without importing and saving.
        epochs: that were trained.
        images_per_second: training images of all epochs over `train_seconds`.
        parameters, trainable_parameters: counts.
        model_mb: size of the saved model (1e6 bytes).
        peak_memory_mb: largest resident memory of the process (1e6 bytes), over all seeds of the task.
        peak_gpu_memory_mb: likewise of the GPU; None without one.
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
    """Where a training ran.

    Attributes:
        cpu: model name.
        cores: processors that the process may use.
        memory_gb: of the machine (1e9 bytes).
        gpu: model name, with a count where there are several; None without one.
    """

    cpu: str
    cores: int
    memory_gb: float
    gpu: str | None


class TrainingRecord(files.Header):
    """The content of `training.json`.

    Attributes:
        regime: one of `names.REGIMES`, or `names.FLOOR`.
        seed: of weights, order and augmentation.
        backbone: None for networks without.
        recipe: the settings of the training by name, see `train.recipe.Recipe`.
        history: an entry an epoch.
        best_epoch: whose weights were kept, by validation ROC AUC; None where there are no epochs.
        diverged: whether the loss stopped being a number.
        cost: what it took.
        hardware: where it ran; None where that does not matter.
        dataset: what it was trained on.
    """

    regime: str
    seed: int
    backbone: Backbone | None
    recipe: dict[str, float | int | str]
    history: list[Epoch]
    best_epoch: int | None
    diverged: NotRequired[bool]
    cost: Cost
    hardware: Hardware | None
    dataset: DatasetId


@dataclass(frozen=True)
class TrainedModel:
    """A model and how it came to be.

    On disk, in a folder for each seed (`files.seed_folder`): `model.keras` (takes uint8 (N, H, W, 1), gives float32
    (N, 1), the probability of pneumonia; all preprocessing but resizing is inside) and `training.json`.

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
        model = cls(folder, cast(TrainingRecord, files.read_json(folder / "training.json", KIND)))
        if not model.model_file.is_file():
            raise UserError(f"{folder} is not a whole {KIND}: it has no {model.model_file.name}; run the step again")
        return model


def load_all(folder: str | Path) -> list[TrainedModel]:
    """The models in the artifact of train, one for each seed, in the order of training.

    Args:
        folder: the artifact, or the folder of a single model in it.

    Raises:
        UserError: a file is missing or of another kind.
    """
    return [TrainedModel.load(own) for own in files.seed_folders(Path(folder), INDEX, COLLECTION, "training.json")]


def save_all(folder: Path, trainings: Sequence[TrainingRecord]) -> None:
    """Writes every `training.json` beside the model file that the caller saved, and the index of them all.

    Args:
        folder: of the artifact.
        trainings: content of `training.json` for each seed, all of one regime.
    """
    for training in trainings:
        files.write_json(files.seed_folder(folder, training["seed"]) / "training.json", training)
    files.write_seeds(folder / INDEX, COLLECTION, trainings)
