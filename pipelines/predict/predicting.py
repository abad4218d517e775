"""Applies a model to image files, a batch at a time."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components import console
from components.artifacts import files
from components.console import printable
from components.inference.scoring import BATCH_SIZE, score
from pipelines.predict import images
from pipelines.predict.explaining import Explainer
from pipelines.predict.messages import note

if TYPE_CHECKING:
    import keras

KEPT_IMAGES = 8
"""Images that are kept for the example request of an export: as JSON, an image takes four times the size of its pixels.
"""


@dataclass
class Predictions:
    """What a model predicted for image files.

    Attributes:
        scores: the model's uncalibrated score of each usable file, from 0 to 1.
        first: the first few images, uint8 (H, W).
        refused: number of files that could not be used.
    """

    scores: dict[Path, float] = field(default_factory=dict)
    first: list[np.ndarray] = field(default_factory=list)
    refused: int = 0


def predict(
    network: "keras.Model", image_size: int, paths: Sequence[Path], pictures: Path | None = None
) -> Predictions:
    """Scores image files; one batch at a time is in memory. Files that cannot be used are named on standard error.

    Args:
        network: the Keras model.
        image_size: height and width of its input images (px).
        paths: image files.
        pictures: new folder for a picture that explains each prediction; None for none.

    Raises:
        UserError: pictures are wanted, and Grad-CAM cannot be applied to the network.
    """
    predictions = Predictions()
    explainer = Explainer(network) if pictures else None
    progress = console.Progress("predict", "files predicted", len(paths))
    with contextlib.ExitStack() as stack:
        # Standard output is for results.
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        folder: Path | None = None
        for done, batch in _batches(paths, image_size, predictions):
            pixels = np.stack(list(batch.values()))
            predictions.scores.update(zip(batch, score(network, pixels).tolist(), strict=True))
            predictions.first += list(pixels[: KEPT_IMAGES - len(predictions.first)])
            if explainer and pictures:
                folder = folder or stack.enter_context(files.new_folder(pictures))
                explainer.write(batch, folder)
            progress.reach(done)
    if folder and pictures:
        note(
            f"{printable(pictures)} has {len(predictions.scores)} pictures: each image, and beside it in colour where "
            "the model found signs of pneumonia"
        )
    return predictions


def _batches(
    paths: Sequence[Path], image_size: int, predictions: Predictions
) -> Iterator[tuple[int, dict[Path, np.ndarray]]]:
    """Reads the files.

    Args:
        paths: of the files.
        image_size: height and width (px).
        predictions: whose `refused` counts the files that cannot be used.

    Yields:
        How many files have been read so far, and the images of the latest ones, uint8 (H, W) by path.
    """
    batch: dict[Path, np.ndarray] = {}
    for done, path in enumerate(paths, start=1):
        try:
            batch[path] = images.read(path, image_size)
        except ValueError as error:
            predictions.refused += 1
            note(f"{printable(path)}: {error}")
        if len(batch) == BATCH_SIZE or (batch and done == len(paths)):
            yield done, batch
            batch = {}
