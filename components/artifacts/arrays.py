"""Arrays in .npy files: mapped into memory, or written and read item by item."""

import errno
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def new_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Creates an array on disk that is mapped into memory.

    If the disk fills up while such an array is written, the system kills the process without a message, so the free
    space is checked first.

    Args:
        path: the .npy file.
        dtype: of the elements.
        shape: of the array.

    Raises:
        OSError: the disk is full (ENOSPC).
    """
    _check_room(path, dtype, shape)
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _check_room(path: Path, dtype: type, shape: tuple[int, ...]) -> None:
    """Checks that the disk has room for an array.

    Raises:
        OSError: it does not (ENOSPC).
    """
    if shutil.disk_usage(path.parent).free < math.prod(shape) * np.dtype(dtype).itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class ArrayWriter:
    """Writes an array into a .npy file item by item; its final length is the number of items written.

    The file is written, not mapped: changed pages of a mapped file count as memory of the process.

    Args:
        path: the .npy file.
        dtype: of the elements.
        shape: of the array at its greatest length.

    Raises:
        OSError: the disk has no room for an array of that shape (ENOSPC).
    """

    def __init__(self, path: Path, dtype: type, shape: tuple[int, ...]):
        _check_room(path, dtype, shape)
        self._file = path.open("wb", buffering=2**20)
        self._dtype, self._shape = np.dtype(dtype), shape[1:]
        self._count = 0
        self._write_header()

    def __enter__(self) -> "ArrayWriter":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write_header()

    def add(self, item: np.ndarray) -> None:
        """Appends one item.

        Raises:
            ValueError: its dtype or shape is not that of the array's items.
        """
        if item.dtype != self._dtype or item.shape != self._shape:
            raise ValueError(f"{item.dtype} {item.shape} does not fit an array of {self._dtype} {self._shape}")
        self._file.write(np.ascontiguousarray(item).data)
        self._count += 1

    def _write_header(self) -> None:
        """Writes the current length; numpy reserves space in the header for any length."""
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, description)


class ArrayReader:
    """Reads single items of a .npy file without mapping it: pages read from a mapped file count as memory.

    Args:
        path: the .npy file.
    """

    def __init__(self, path: Path):
        array = np.load(path, mmap_mode="r")
        self.shape, self._offset, self._dtype = array.shape, array.offset, array.dtype
        self._file = path.open("rb", buffering=0)

    def __enter__(self) -> "ArrayReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, positions: Sequence[int]) -> np.ndarray:
        """Copies of the items at `positions`, (len(positions), ...)."""
        items = np.empty((len(positions), *self.shape[1:]), self._dtype)
        for item, position in zip(items, positions, strict=True):
            self._file.seek(self._offset + int(position) * item.nbytes)
            self._file.readinto(item.data.cast("B"))
        return items
