"""Pictures of where a model found signs of pneumonia, by Grad-CAM."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from components.console import UserError, printable

if TYPE_CHECKING:
    import keras

SMALLEST_PICTURE = 240
"""Height, and least width, of each half of a picture (px)."""

LONGEST_NAME = 200
"""Characters of a picture's name; file systems allow 255 with number and suffix."""


class Explainer:
    """Writes pictures of where a model found signs of pneumonia, by Grad-CAM.

    Args:
        network: the Keras model, as for `gradcam.take_apart`.

    Raises:
        UserError: Grad-CAM cannot be applied to the model.
    """

    def __init__(self, network: "keras.Model"):
        from components.inference import gradcam  # noqa: PLC0415 (Keras)

        explainer = gradcam.take_apart(network)
        if explainer is None:
            raise UserError(
                "this model does not end in an average of feature maps, so Grad-CAM cannot be applied: omit --explain"
            )
        self._explainer = explainer
        self._taken: set[str] = set()

    def write(self, images: Mapping[Path, np.ndarray], folder: Path) -> None:
        """Writes `NAME.png` for each image: the network's input, and beside it the same with signs of pneumonia marked.

        Args:
            images: uint8 (H, W) by path; of equal names the later get a number.
            folder: where to write the pictures.
        """
        from components.imaging.overlay import overlay  # noqa: PLC0415 (matplotlib)

        heats = self._explainer.heat(np.stack(list(images.values())))
        for (path, pixels), heat in zip(images.items(), heats, strict=True):
            strongest = heat.max()
            scaled = (255 * heat / strongest if strongest > 0 else heat).round().astype(np.uint8)
            side = max(SMALLEST_PICTURE, *pixels.shape)
            marked = overlay(pixels, scaled, side)
            plain = Image.fromarray(pixels).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            picture = Image.fromarray(np.hstack([np.asarray(plain), marked]))
            picture.save(folder / f"{_unused_name(path.stem, self._taken)}.png")


def check_folder(folder: Path, places: Sequence[Path]) -> None:
    """Makes sure that pictures replace no files, and are not taken for images to predict later.

    Args:
        folder: of the pictures.
        places: files and folders with the images.

    Raises:
        UserError: there are no images, or the folder is a file, not empty, or inside a folder of images.
    """
    if not places:
        raise UserError("--explain needs images: give image files or folders")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{printable(folder)} is a file: choose another folder for --explain")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{printable(folder)} is not empty, and nothing is replaced: choose a new folder for --explain")
    for place in places:
        if place.is_dir() and folder.resolve().is_relative_to(place.resolve()):
            raise UserError(
                f"{printable(folder)} is inside {printable(place)}, where its pictures would be taken for images next "
                "time: choose another folder for --explain"
            )


def _unused_name(stem: str, taken: set[str]) -> str:
    """A short ASCII file name from another file's stem; differs from those in `taken`, also in lower case; is added."""
    plain = re.sub(r"[^\w. -]", "_", stem, flags=re.ASCII)[:LONGEST_NAME].lstrip(".") or "_"
    name, number = plain, 1
    while name.lower() in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name.lower())
    return name
