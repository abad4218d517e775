"""The trained model: one Keras file and the story of its training. Written by train."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import files
from components.console import UserError

KIND = "trained model"


@dataclass(frozen=True)
class TrainedModel:
    """A model and how it came to be.

    On disk: `model.keras` (takes uint8 (N, H, W, 1), gives float32 (N, 1), the probability of pneumonia; all
    preprocessing but resizing is inside) and `training.json`.

    Attributes:
        folder: where the artifact lies.
        training: content of `training.json`: header, regime, seed, backbone, recipe, history (a list with one
            dictionary an epoch), cost, hardware, dataset.
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


def save(folder: Path, training: dict[str, Any]) -> None:
    """Writes `training.json` beside the model file that the caller saved."""
    files.write_json(folder / "training.json", training)
