"""Reads and writes the files of an artifact; an incomplete artifact is never mistaken for a complete one."""

import contextlib
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

import pandas as pd

from components import __version__
from components.artifacts.names import BASELINE, REGIMES
from components.console import UserError

SCHEMA_VERSION = 1
"""Version of every artifact's JSON files; `read_json` refuses others."""

_TEXT = dict.fromkeys(("image", "patient", "sha256", "split", "subtype"), str)


class MadeBy(TypedDict):
    """How an artifact was made.

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
    """The keys with which every artifact's JSON file begins.

    Attributes:
        schema_version: `SCHEMA_VERSION` at the time of writing.
        kind: what the artifact is, for example "prepared dataset".
        made_by: the step and its settings.
    """

    schema_version: int
    kind: str
    made_by: MadeBy


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Creates a folder to fill, which is renamed to `path` if the block ends without an error.

    Args:
        path: folder of the artifact. An older artifact there is replaced.

    Yields:
        A new, empty folder next to `path`.

    Raises:
        UserError: `path` must not be replaced, for example a folder with other files.
    """
    path = Path(path).resolve()
    _check_replaceable(path)
    partial, old = (path.with_name(f".{path.name}.{state}-{os.getpid()}") for state in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{path.parent} is not a folder: choose another location for {path.name}") from None
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
    """Protects the user's own files if an output folder was given by mistake."""
    if path.is_mount():
        raise UserError(f"{path} is a mount point, which cannot be replaced: choose a new folder below it")
    if not path.is_dir():
        if path.exists():
            raise UserError(f"{path} is a file, not a folder: choose another location for the output")
        return
    if any(path.iterdir()) and not any(b'"schema_version"' in file.read_bytes() for file in path.glob("*.json")):
        raise UserError(f"{path} contains other files than an artifact's, which would be lost: choose an empty folder")


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
    """Writes `content` as JSON; NaN and infinity become null."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path, kind: str) -> dict[str, Any]:
    """Reads an artifact's JSON file and checks its kind and schema version.

    Args:
        path: the file.
        kind: the artifact's kind, as written under "kind" in the file.

    Returns:
        The file's content.

    Raises:
        UserError: the file is missing, is not JSON, or is of another kind or schema version.
    """
    path = Path(path)
    with whole(path, kind):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (not a JSON object); run the step that wrote it again")
    found = content.get("kind"), content.get("schema_version")
    if found[0] != kind:
        raise UserError(f"{path} describes a {found[0]!r}, not a {kind!r}: check which artifact you passed")
    if found[1] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {found[1]}, this code reads {SCHEMA_VERSION}: run the step that wrote it again"
        )
    return content


def read_table(path: str | Path, kind: str, columns: Sequence[str]) -> pd.DataFrame:
    """Reads an artifact's CSV file; names stay strings even if they look like numbers or are empty.

    Args:
        path: the file.
        kind: the artifact's kind, for messages.
        columns: required columns.

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
    """Turns errors while reading a file of an artifact into a `UserError` that names the remedy.

    Args:
        path: the file.
        kind: the artifact's kind.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise UserError(f"{path.parent} is not a complete {kind}: it has no {path.name}; run the step again") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); run the step that wrote it again") from None


def seed_folder(folder: Path, seed: int) -> Path:
    """Folder of one seed's results in an artifact that contains several seeds."""
    return folder / f"seed-{seed}"


def write_seeds(index: Path, kind: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Writes the index of an artifact that contains the results of one regime for several seeds.

    Args:
        index: the JSON file, in the artifact's folder.
        kind: of the artifact.
        results: for each seed a record with "regime", "seed" and the keys of `Header`.
    """
    made_by = results[0]["made_by"] | {"finished": results[-1]["made_by"]["finished"]}
    content = {"schema_version": SCHEMA_VERSION, "kind": kind, "made_by": made_by}
    write_json(index, content | {"regime": results[0]["regime"], "seeds": [result["seed"] for result in results]})


def seed_folders(folder: Path, index: str, kind: str, single: str) -> list[Path]:
    """Folders of the seeds that an artifact's index lists, in that order.

    Args:
        folder: of the artifact, or of a single seed's results.
        index: file name of the index.
        kind: of the artifact.
        single: name of a file that only a single seed's folder contains.

    Raises:
        UserError: `folder` is neither of the two, or the index is damaged.
    """
    if (folder / single).is_file():
        return [folder]
    content = read_json(folder / index, kind)
    seeds = content.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise UserError(f"{folder / index} is damaged (it lists no seeds); run the step that wrote it again")
    return [seed_folder(folder, seed) for seed in seeds]


def regime_folders(folder: str | Path) -> list[Path]:
    """Folders of the regimes, and of the baseline if there is one, in an artifact that has one for each of them.

    Raises:
        UserError: there is none.
    """
    found = [path for name in (*REGIMES, BASELINE) if (path := Path(folder) / name).is_dir()]
    if not found:
        raise UserError(f"{folder} has no folder of a regime ({', '.join(REGIMES)}): check which artifact you passed")
    return found


def header(kind: str, started: datetime, arguments: dict[str, Any]) -> Header:
    """The keys with which every artifact's JSON file begins: what it is, and how it was made.

    Args:
        kind: what the artifact is, for example "prepared dataset".
        started: when the step began (UTC).
        arguments: the step's settings (including the seed), as JSON values.
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
    """Versions of this project, Python and the installed packages that affect results, by name."""
    found = {"pneumonia-benchmark": __version__, "python": platform.python_version()}
    numerical = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "scipy", "scikit-learn")
    for name in (*numerical, "pillow", "pandas", "kfp"):
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
