"""The trained models of one regime: for each seed a Keras file and the record of its training. Written by train."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import files
from components.console import UserError

KIND = "trained model"
COLLECTION = "trained models"
INDEX = "models.json"


@dataclass(frozen=True)
class TrainedModel:
    """A model and how it came to be.

    On disk, in a folder for each seed (`files.seed_folder`): `model.keras` (takes uint8 (N, H, W, 1), gives float32
    (N, 1), the probability of pneumonia; all preprocessing but resizing is inside) and `training.json`.

    Attributes:
        folder: of this model.
        training: content of `training.json`: header, regime, seed, backbone, recipe, history (a list with one
            dictionary an epoch), best_epoch, diverged, cost, hardware, dataset.
    """

    folder: Path
    training: dict[str, Any]

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
        model = cls(folder, files.read_json(folder / "training.json", KIND))
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


def save_all(folder: Path, trainings: Sequence[dict[str, Any]]) -> None:
    """Writes every `training.json` beside the model file that the caller saved, and the index of them all.

    Args:
        folder: of the artifact.
        trainings: content of `training.json` for each seed, all of one regime.
    """
    for training in trainings:
        files.write_json(files.seed_folder(folder, training["seed"]) / "training.json", training)
    files.write_seeds(folder / INDEX, COLLECTION, trainings)
