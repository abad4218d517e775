"""Loads a Keras model from its file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from components.console import UserError

if TYPE_CHECKING:
    import keras


def load_model(file: Path, remedy: str = "run the training again") -> "keras.Model":
    """Loads a Keras model for inference.

    Args:
        file: the `.keras` file.
        remedy: what the user can do about a damaged file.

    Raises:
        UserError: the file is damaged.
        PermissionError: the file may not be read.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras  # noqa: PLC0415 (mistakes need not wait for TensorFlow)

    try:
        return keras.models.load_model(file, compile=False)
    except PermissionError:
        raise
    except Exception:  # Keras raises nearly any exception for damaged files
        raise UserError(f"{file} cannot be read as a Keras model: {remedy}") from None
