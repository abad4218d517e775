"""Finds and reads image files exactly as ingest and preprocess do."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from components.console import UserError, printable
from components.imaging import decoding, formats
from pipelines.predict.messages import note


def find(places: Sequence[Path]) -> list[Path]:
    """The given files, and the files in the given folders; hidden ones are omitted.

    Raises:
        UserError: a file or folder does not exist, or a folder is empty.
        OSError: a folder cannot be read.
    """
    found: list[Path] = []
    for place in places:
        if not os.path.lexists(place):
            raise UserError(f"there is no {printable(place)}: give image files or folders")
        inside = sorted(_inside(place)) if place.is_dir() else [place]
        if not inside:
            raise UserError(f"{printable(place)} is empty: give image files or folders of them")
        found += inside
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> Iterator[Path]:
    """The files in a folder, found as by ingest: links to folders may lead anywhere and are not followed."""
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            if Path(parent, name).is_symlink():
                note(f"{printable(Path(parent, name))} is a link to a folder and skipped: give the folder itself")
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _raise(error: OSError) -> None:
    """Makes a folder that cannot be read an error; `os.walk` would skip it silently."""
    raise error


def read(path: Path, image_size: int) -> np.ndarray:
    """Reads an image exactly as ingest and preprocess do.

    Args:
        path: the file.
        image_size: height and width of the result (px).

    Returns:
        uint8 (image_size, image_size).

    Raises:
        ValueError: the file cannot be used; the message says why.
    """
    try:
        # Reading a pipe or a device might never end.
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")
        if path.stat().st_size > formats.MAX_BYTES:
            raise ValueError(f"the file is larger than {formats.MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from None
    image = decoding.decode(formats.inspect(content).content, image_size)
    decoding.check_contrast(image)
    return image
