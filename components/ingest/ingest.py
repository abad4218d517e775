"""Brings a dataset in: from a source to the raw dataset artifact. Read `ingest` from top to bottom."""

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from components import console
from components.artifacts import files, raw_dataset
from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest import quality
from components.ingest.layout import Found, find_images
from components.ingest.patients import patient_of
from components.ingest.sources import open_source

FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MAX_PIXELS = 100_000_000
"""Larger images are refused: no radiograph has so many, and decoding one would fill the memory."""


def ingest(
    output: str | Path,
    source: str = "synthetic",
    path: str = "",
    synthetic_images: int = 1200,
    synthetic_size: int = 160,
    synthetic_difficulty: float = 0.5,
    seed: int = 1,
) -> dict[str, Any]:
    """Brings a dataset in and describes it.

    Args:
        output: the raw dataset's folder, made anew.
        source: one of `names.SOURCES`.
        path: where the data are, for sources that have a place.
        synthetic_images: how many radiographs to simulate.
        synthetic_size: length of their shorter side in px, about.
        synthetic_difficulty: from 0 (easy) to 1.
        seed: of the simulation.

    Returns:
        The content of `quality.json`.

    Raises:
        UserError: the source cannot be had, or it has no usable images of a class.
    """
    started = files.now()
    arguments = {name: value for name, value in locals().items() if name not in ("output", "started")}
    origin = open_source(source, path, synthetic_images, synthetic_size, seed, synthetic_difficulty)
    with tempfile.TemporaryDirectory(prefix="ingest-") as workspace, files.new_folder(output) as folder:
        found = find_images(origin.fetch(Path(workspace)))
        console.say("ingest", f"{len(found)} files found")
        manifest, refused = _store(found, folder)
        _check_classes(manifest, len(refused))
        unknown = sum(not patient_of(image)[1] for image in manifest["image"])
        report = files.header(raw_dataset.KIND, started, arguments) | {
            "source": {"name": origin.name, "description": origin.description()},
            **quality.describe(manifest),
            "patient_unknown": unknown,
            "refused": refused,
        }
        raw_dataset.save(folder, manifest, report)
    console.say("ingest", f"{len(manifest)} images of {report['patients']} patients, {len(refused)} files refused")
    return report


def _store(found: list[Found], folder: Path) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Copies the images into zips; gives the manifest and the files refused, each with its reason."""
    rows, refused = [], []
    progress = console.Progress("ingest", "files read", len(found))
    with raw_dataset.ImageWriter(folder) as writer:
        for number, item in enumerate(found):
            try:
                content = item.path.read_bytes()
                width, height = _inspect(item.image, content)
            except (ValueError, OSError) as error:
                reason = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
                refused.append({"image": _printable(item.image), "reason": reason})
                continue
            writer.add(item.image, content)
            digest = hashlib.sha256(content).hexdigest()
            patient, _ = patient_of(item.image)
            rows.append((item.image, item.label, item.split, patient, digest, width, height))
            progress.reach(number + 1)
    return pd.DataFrame(rows, columns=list(raw_dataset.MANIFEST_COLUMNS)), refused


def _inspect(image: str, content: bytes) -> tuple[int, int]:
    """Width and height of an image, from its header alone.

    Raises:
        ValueError: it is not an image that can be used; the message says why.
    """
    try:
        image.encode()
    except UnicodeEncodeError:
        raise ValueError("the file's name is not valid UTF-8") from None
    if {"\r", "\n"} & set(image):
        raise ValueError("the file's name has a line break")
    if not content:
        raise ValueError("the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
    except Image.DecompressionBombError:
        raise ValueError(f"the image has more than {MAX_PIXELS} pixels") from None
    except (OSError, ValueError, SyntaxError):
        raise ValueError(f"not an image in one of the formats {', '.join(FORMATS)}") from None
    if width * height > MAX_PIXELS:
        raise ValueError(f"the image has {width} x {height} pixels, more than {MAX_PIXELS}")
    return width, height


def _check_classes(manifest: pd.DataFrame, refused: int) -> None:
    for split, rows in manifest.groupby("split"):
        for label in CLASSES:
            if split != "validation" and not (rows["label"] == label).any():
                place = f"the {split} split" if split else "the dataset"
                raise UserError(
                    f"{place} has no usable images of the class {label} ({refused} files were refused): "
                    f"add some, or check the folder {label}"
                )
    missing = set(CLASSES) - set(manifest["label"])
    if missing:
        raise UserError(f"no usable images of the class {min(missing)} ({refused} files were refused): add some")


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
