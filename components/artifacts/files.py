"""Reading and writing the files of an artifact so that nothing half-written is ever taken for whole."""

import contextlib
import errno
import json
import math
import os
import platform
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from components import __version__
from components.console import UserError

SCHEMA_VERSION = 1
"""Of every artifact's JSON files; `read_json` refuses others."""

_TEXT = dict.fromkeys(("image", "patient", "sha256", "split", "subtype"), str)


class MadeBy(TypedDict):
    """What made an artifact.

    Attributes:
        started, finished: ISO 8601 in UTC, for example "2026-01-31T12:00:00Z".
        arguments: of the step, by name.
        versions: of this project, Python and packages, by name.
    """

    started: str
    finished: str
    arguments: dict[str, Any]
    versions: dict[str, str]


class Header(TypedDict):
    """The opening of every artifact's JSON file.

    Attributes:
        schema_version: `SCHEMA_VERSION` when it was written.
        kind: what the artifact is, for example "prepared dataset".
        made_by: the step and its settings.
    """

    schema_version: int
    kind: str
    made_by: MadeBy


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Gives a folder to fill; it appears under `path` only when the block ends without an error.

    Args:
        path: where the artifact will be. An older artifact there is replaced.

    Yields:
        A new, empty folder beside `path`.

    Raises:
        UserError: `path` is something that may not be replaced, such as a folder with other files.
    """
    path = Path(path).resolve()
    _check_replaceable(path)
    partial, old = (path.with_name(f".{path.name}.{state}-{os.getpid()}") for state in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{path.parent} is not a folder: choose another place for {path.name}") from None
    try:
        yield partial
        _check_replaceable(path)
        if path.is_dir():
            path.rename(old)
        partial.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_replaceable(path: Path) -> None:
    """Saves the user's own files from an output folder given by mistake."""
    if path.is_mount():
        raise UserError(f"{path} is where a disk is mounted, which cannot be replaced: choose a new folder below it")
    if not path.is_dir():
        if path.exists():
            raise UserError(f"{path} is a file, not a folder: choose another place for the output")
        return
    if any(path.iterdir()) and not any(b'"schema_version"' in file.read_bytes() for file in path.glob("*.json")):
        raise UserError(f"{path} holds files that are no artifact, and would lose them: choose a new or empty folder")


def new_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Makes an array that lies on disk and is mapped into memory.

    A disk that fills up under such an array kills the process without a word, so room is checked first.

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
    if shutil.disk_usage(path.parent).free < math.prod(shape) * np.dtype(dtype).itemsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class ArrayWriter:
    """Writes an array into a .npy file item by item; it becomes as long as it got.

    The file is written and not mapped: what a process has changed in a mapped file counts as its memory.

    Args:
        path: the .npy file.
        dtype: of the elements.
        shape: of the array if it gets as long as it can.

    Raises:
        OSError: the disk has no room for so much (ENOSPC).
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
        """Appends one item."""
        if item.dtype != self._dtype or item.shape != self._shape:
            raise ValueError(f"{item.dtype} {item.shape} does not fit an array of {self._dtype} {self._shape}")
        self._file.write(np.ascontiguousarray(item))
        self._count += 1

    def _write_header(self) -> None:
        """Says how long the array is; numpy leaves room in the header for any length."""
        description = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, description)


class ArrayReader:
    """Reads single items of a .npy file without mapping it: what is read of a mapped file counts as memory.

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
        """The items at some positions, as an array of its own."""
        items = np.empty((len(positions), *self.shape[1:]), self._dtype)
        for item, position in zip(items, positions, strict=True):
            self._file.seek(self._offset + int(position) * item.nbytes)
            self._file.readinto(item.data.cast("B"))
        return items


def write_text(path: str | Path, text: str) -> None:
    """Writes a UTF-8 text file under a temporary name, then renames it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Writes `content` as JSON, with every number finite (a NaN or infinity becomes null)."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path, kind: str) -> dict[str, Any]:
    """Reads an artifact's JSON file and checks that it is what the caller expects.

    Args:
        path: the file.
        kind: the artifact's kind, as written under "kind" in the file.

    Returns:
        The file's content.

    Raises:
        UserError: the file is missing, is no JSON, or is of another kind or schema version.
    """
    path = Path(path)
    with whole(path, kind):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no JSON object); run the step that wrote it again")
    found = content.get("kind"), content.get("schema_version")
    if found[0] != kind:
        raise UserError(f"{path} describes a {found[0]!r}, not a {kind!r}: check which artifact you passed")
    if found[1] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {found[1]}, this code reads {SCHEMA_VERSION}: run the step that wrote it again"
        )
    return content


def read_table(path: str | Path, kind: str, columns: Sequence[str]) -> pd.DataFrame:
    """Reads an artifact's CSV file; names stay text even where they look like numbers or are empty.

    Args:
        path: the file.
        kind: the artifact's kind, for messages.
        columns: which it must have.

    Raises:
        UserError: the file is missing, damaged or lacks a column.
    """
    path = Path(path)
    with whole(path, kind):
        table = pd.read_csv(path, dtype=_TEXT, keep_default_na=False)
    if missing := [name for name in columns if name not in table.columns]:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}; run the step that wrote it again")
    return table


@contextlib.contextmanager
def whole(path: Path, kind: str) -> Iterator[None]:
    """Makes what goes wrong while a file of an artifact is read an error that names the remedy.

    Args:
        path: the file.
        kind: the artifact's kind.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise UserError(f"{path.parent} is not a whole {kind}: it has no {path.name}; run the step again") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); run the step that wrote it again") from None


def seed_folder(folder: Path, seed: int) -> Path:
    """Where an artifact that holds the results of several seeds has those of one."""
    return folder / f"seed-{seed}"


def write_seeds(index: Path, kind: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Writes the index of an artifact that holds the results of one regime for several seeds.

    Args:
        index: the JSON file, in the artifact's folder.
        kind: of the artifact.
        results: a dictionary for each seed with "regime", "seed" and what `header` gives.
    """
    made_by = results[0]["made_by"] | {"finished": results[-1]["made_by"]["finished"]}
    content = {"schema_version": SCHEMA_VERSION, "kind": kind, "made_by": made_by}
    write_json(index, content | {"regime": results[0]["regime"], "seeds": [result["seed"] for result in results]})


def seed_folders(folder: Path, index: str, kind: str, single: str) -> list[Path]:
    """The folder of each seed in an artifact that `write_seeds` indexed, in its order.

    Args:
        folder: of the artifact, or of a single seed's results.
        index: name of the index.
        kind: of the artifact.
        single: name of a file that a single seed's folder has.

    Raises:
        UserError: `folder` is neither, or the index is damaged.
    """
    if (folder / single).is_file():
        return [folder]
    content = read_json(folder / index, kind)
    seeds = content.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{folder / index} is damaged (it lists no seeds); run the step that wrote it again")
    return [seed_folder(folder, seed) for seed in seeds]


def header(kind: str, started: datetime, arguments: dict[str, Any]) -> Header:
    """The opening of every artifact's JSON file: what it is, and what made it.

    Args:
        kind: what the artifact is, for example "prepared dataset".
        started: when the step began (UTC).
        arguments: the step's settings (seed included); plain values.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "made_by": {
            "started": timestamp(started),
            "finished": timestamp(now()),
            "arguments": arguments,
            "versions": versions(),
        },
    }


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """ISO 8601 to the second, for example 2026-01-31T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Versions of this project, Python and the packages that a result depends on; absent packages are left out."""
    found = {"pneumonia-benchmark": __version__, "python": platform.python_version()}
    for name in ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scikit-learn", "pillow", "pandas", "kfp"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "tolist"):
        return _finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
