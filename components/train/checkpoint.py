"""Checkpoints: the state of a training on disk, from which it continues after an interruption with the same result.

A checkpoint is one file, which is replaced as a whole. Its arrays and its JSON are in a ZIP archive with checksums, so
that a damaged file is noticed; the training then starts anew. There is nothing in it that could be executed.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import keras
import numpy as np

from components.artifacts import files, trained_model
from components.artifacts.trained_model import TrainedModel, TrainingRecord
from components.console import UserError, printable

SHARE = 0.02
"""Largest share of the training time that saving may take; after a slow one, the next ones are left out."""

WITHIN_EPOCH = 60.0
"""Seconds after which a training saves within an epoch too, so that an interruption costs little more than that."""

STORE_RATE = 300e6
"""Bytes per second at which features are assumed to be saved: those that are computed faster are not worth it."""

WAIT = 180.0
"""Seconds to wait for the lock. A file system of the network may free that of a lost machine only after minutes."""

Say = Callable[[str], None]


class Checkpoint:
    """The checkpoint of one training (one regime, one seed).

    Where saving fails, for example on a full disk, the training goes on without checkpoints and says so.

    Args:
        folder: of this training; None keeps nothing.
        say: prints a message.

    Attributes:
        seconds: time that saving has taken so far in this process.
    """

    def __init__(self, folder: Path | None, say: Say):
        self._folder, self._say = folder, say
        self._ended, self._took = time.monotonic(), 0.0
        self.seconds = 0.0

    def due(self, epoch_complete: bool) -> bool:
        """Whether to save now.

        Args:
            epoch_complete: whether an epoch has just ended.
        """
        if self._folder is None:
            return False
        least = self._took / SHARE
        return time.monotonic() - self._ended >= (least if epoch_complete else max(least, WITHIN_EPOCH))

    def worth_storing(self, size: int, seconds: float) -> bool:
        """Whether features are worth saving.

        Args:
            size: in bytes.
            seconds: how long it took to compute them.
        """
        return self._folder is not None and size <= SHARE * seconds * STORE_RATE

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Replaces one file.

        Args:
            name: of the file, without its ending.
            content: JSON values, nested lists and dictionaries of them, and arrays as values of these.
        """
        if self._folder is None:
            return
        begun = time.monotonic()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / f"{name}.npz", content)
        except OSError as error:
            self._say(
                f"the training goes on without checkpoints, since {self._folder} cannot be written to "
                f"({error.strerror or error}): if it is interrupted, it goes back to the last one"
            )
            self._folder = None
        self._ended = time.monotonic()
        self._took = self._ended - begun
        self.seconds += self._took

    def load(self, name: str) -> dict[str, Any] | None:
        """Reads what `save` wrote; None if there is nothing, or if the file is damaged, which is said.

        Args:
            name: of the file, without its ending.
        """
        path = self._folder / f"{name}.npz" if self._folder else None
        if path is None or not path.is_file():
            return None
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            self._say(f"the checkpoint {path} is damaged ({printable(error)}), so what it contains is made anew")
            with contextlib.suppress(OSError):
                path.unlink()
            return None

    def finish(self, model: Path, record: TrainingRecord) -> None:
        """Keeps a finished model in place of its checkpoint, until the other seeds are finished too.

        Args:
            model: folder with the model file.
            record: of its training.
        """
        if self._folder is None:
            return
        try:
            with files.new_folder(self._finished(self._folder)) as new:
                shutil.copytree(model, new, dirs_exist_ok=True)
                files.write_json(new / trained_model.RECORD, record)
        except OSError as error:
            self._say(f"the model was not added to the checkpoints ({error.strerror or error})")
            return
        shutil.rmtree(self._folder, ignore_errors=True)

    def finished(self, model: Path) -> TrainingRecord | None:
        """Takes the model that another process has finished; None if there is none.

        Args:
            model: new folder for it.
        """
        if self._folder is None or not self._finished(self._folder).is_dir():
            return None
        try:
            kept = TrainedModel.load(self._finished(self._folder))
            with zipfile.ZipFile(kept.model_file) as archive:
                if damaged := archive.testzip():
                    raise zipfile.BadZipFile(damaged)
            shutil.copytree(kept.folder, model)
        except (OSError, UserError, zipfile.BadZipFile) as error:
            self._say(f"the finished model in the checkpoints is damaged ({printable(error)}), so it is trained again")
            shutil.rmtree(self._finished(self._folder), ignore_errors=True)
            shutil.rmtree(model, ignore_errors=True)
            return None
        self._say("taken from the checkpoints of an interrupted process")
        return kept.training

    @staticmethod
    def _finished(folder: Path) -> Path:
        return folder.with_name(f"{folder.name}-finished")


@contextlib.contextmanager
def opened(folder: str | Path, key: str, say: Say, wait: float = WAIT) -> Iterator[Path | None]:
    """The place of the checkpoints of one task, which is removed if the block ends without an error.

    Args:
        folder: of all checkpoints; "" for none.
        key: of everything on which the results depend.
        say: prints a message.
        wait: seconds to wait for another process that uses the place.

    Yields:
        The place; None if there are no checkpoints, because none are wanted or another process is using the place.

    Raises:
        UserError: the folder cannot be written to.
    """
    if not folder:
        yield None
        return
    place = Path(folder).absolute() / key
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / "lock").open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the folder of checkpoints {folder} cannot be written to ({error.strerror}): change its owner or mode, or "
            "choose another one"
        ) from None
    with lock:
        if not _locked(lock, place, say, wait):
            say(f"another process is using the checkpoints in {place}, so this one keeps none")
            yield None
            return
        for partial in place.rglob(".*partial*"):  # of processes that were killed
            shutil.rmtree(partial, ignore_errors=True) if partial.is_dir() else partial.unlink(missing_ok=True)
        yield place
        shutil.rmtree(place, ignore_errors=True)


def _locked(lock: TextIO, place: Path, say: Say, wait: float) -> bool:
    """Locks the file, which the system unlocks when the process ends, however it ends."""
    end, said = time.monotonic() + wait, False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            if not said:
                said = True
                say(f"waiting up to {wait:.0f} s for another process that is using the checkpoints in {place}")
            time.sleep(0.2)
        except OSError:  # the file system has no locks
            return True
        else:
            return True


def key_of(regime: str, parts: Mapping[str, Any]) -> str:
    """The name of the place of a task's checkpoints.

    Args:
        regime: readable part of the name.
        parts: JSON values: everything besides the code on which the results depend.
    """
    text = json.dumps([regime, parts, _code(), files.versions()], sort_keys=True, default=str)
    return f"{regime}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _code() -> str:
    """SHA-256 over the code that trains, the bundled weights included."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for pattern in ("*.py", "artifacts/*.py", "train/*.py", "train/*.npz"):
        for path in sorted(package.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def values(variables: list[keras.Variable]) -> list[np.ndarray]:
    """Copies of the values of variables."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: list[keras.Variable], arrays: list[np.ndarray]) -> None:
    """Sets variables to what `values` gave."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    arrays: list[np.ndarray] = []

    def without_arrays(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, Mapping):
            return {name: without_arrays(entry) for name, entry in value.items()}
        return [without_arrays(entry) for entry in value] if isinstance(value, list | tuple) else value

    text = json.dumps(without_arrays(content))
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            np.savez(file, *arrays, json=np.frombuffer(text.encode(), np.uint8))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:

        def with_arrays(value: Any) -> Any:
            if isinstance(value, dict):
                if value.keys() == {"array"}:
                    return archive[f"arr_{value['array']}"]
                return {name: with_arrays(entry) for name, entry in value.items()}
            return [with_arrays(entry) for entry in value] if isinstance(value, list) else value

        return dict(with_arrays(json.loads(archive["json"].tobytes())))
