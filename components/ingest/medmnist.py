"""Converts the .npz file of PneumoniaMNIST, in the format of MedMNIST (doi:10.1038/s41597-022-01721-8), to folders.

The file contains `{train,val,test}_images`, uint8 (N, H, W), and `{train,val,test}_labels`, integers (N, 1), 0 normal,
1 pneumonia. For safety, nothing is unpickled, no array is read at once, and the size that an array's header declares is
compared with the archive before reading.
"""

import contextlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from components import console
from components.artifacts.names import CLASSES
from components.console import UserError
from components.ingest.archives import HARMLESS_BYTES, MAX_FILES, MAX_RATIO, is_damage

SPLITS = ("train", "val", "test")
MAX_SIDE = 4096
"""Largest height and width in px; those of MedMNIST are at most 224."""


def write_images(path: Path, folder: Path, name: str = "") -> None:
    """Writes the images as PNG files: `{train,val,test}/{NORMAL,PNEUMONIA}/{split}-{number}.png`.

    Args:
        path: the .npz file.
        folder: receives the folders of splits and classes.
        name: name of the file in messages; by default its file name.

    Raises:
        UserError: the file is damaged or of another format.
    """
    name = name or path.name
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path.stat().st_size)
            for split in SPLITS:
                _write_split(archive, split, folder)
    except Exception as error:
        if not (is_damage(error) or isinstance(error, SyntaxError)):  # NumPy parses headers as Python
            raise
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        raise UserError(
            f"{name} is not PneumoniaMNIST's .npz ({reason}): download it again, or check the file"
        ) from None


def _check(archive: zipfile.ZipFile, packed: int) -> None:
    """Checks that all arrays are present, and that the unpacked size is plausible."""
    names = archive.namelist()
    for array in (f"{split}_{what}.npy" for split in SPLITS for what in ("images", "labels")):
        if names.count(array) != 1:
            raise ValueError(f"it has {names.count(array)} arrays {array.removesuffix('.npy')}, expected 1")
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > max(HARMLESS_BYTES, MAX_RATIO * packed):
        raise ValueError(f"it unpacks to {unpacked // 10**6} MB, which looks like an attack (a bomb)")


def _write_split(archive: zipfile.ZipFile, split: str, folder: Path) -> None:
    labels = _labels(archive, split)
    progress = console.Progress("ingest", f"images of {split} written", len(labels))
    for label in CLASSES:
        (folder / split / label).mkdir(parents=True, exist_ok=True)
    with _array(archive, f"{split}_images") as (stream, dtype, shape):
        if dtype != np.uint8 or len(shape) != 3 or not all(0 < side <= MAX_SIDE for side in shape[1:]):
            raise ValueError(f"{split}_images are {dtype} {shape}, expected uint8 (images, height, width)")
        if shape[0] != len(labels):
            raise ValueError(f"{split} has {shape[0]} images and {len(labels)} labels")
        for number, label in enumerate(labels):
            pixels = np.frombuffer(_exactly(stream, shape[1] * shape[2]), np.uint8).reshape(shape[1:])
            Image.fromarray(pixels).save(folder / split / CLASSES[label] / f"{split}-{number:06}.png", compress_level=1)
            progress.reach(number + 1)


def _labels(archive: zipfile.ZipFile, split: str) -> np.ndarray:
    """Reads the labels of a split: int64 (N,), 0 or 1."""
    with _array(archive, f"{split}_labels") as (stream, dtype, shape):
        if dtype.kind not in "iu" or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)) or shape[0] > MAX_FILES:
            raise ValueError(f"{split}_labels are {dtype} {shape}, expected integers (images, 1)")
        labels = np.frombuffer(_exactly(stream, math.prod(shape) * dtype.itemsize), dtype)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"{split}_labels contain other labels than 0 and 1")
    return labels.astype(np.int64)


@contextlib.contextmanager
def _array(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], np.dtype, tuple[int, ...]]]:
    """Opens an array at its first element after checking that its header agrees with its length."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name} has the unsupported .npy version {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        if dtype.hasobject or fortran:
            raise ValueError(f"{name} contains objects or is in Fortran order")
        if info.file_size - stream.tell() != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} declares {dtype} {shape}, which does not match its size")
        yield stream, dtype, shape


def _exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise EOFError("an array is truncated")
    return content
