"""Checkpoints: the state of a training on disk, from which it continues after an interruption with the same result.

A checkpoint is one file, which is replaced as a whole. Its arrays and its JSON are in a ZIP archive with checksums, so
that a damaged file is noticed; the training then starts anew. There is nothing in it that could be executed.
"""

import contextlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from components.artifacts import files, trained_model
from components.artifacts.trained_model import TrainedModel, TrainingRecord
from components.console import Say, UserError, printable
from components.train.mirror import RATE, Mirror

SHARE = 0.02
"""Largest share of the training time that saving may take; after a slow one, the next ones are left out."""

WITHIN_EPOCH = 60.0
"""Seconds after which a training saves within an epoch too, so that an interruption costs little more than that."""

STORE_RATE = 300e6
"""Bytes per second at which features are assumed to be saved: those that are computed faster are not worth it."""


Result = TypeVar("Result")


class UnusableError(Exception):
    """The content of a checkpoint does not fit the training, although its file is whole."""


@contextlib.contextmanager
def used() -> Iterator[None]:
    """Takes over what a checkpoint contains.

    Raises:
        UnusableError: it does not fit. What was taken over before may be inconsistent.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnusableError(f"{type(error).__name__}: {error}") from error


class Checkpoint:
    """The checkpoint of one training (one regime, one seed).

    Where saving fails, for example on a full disk, the training goes on without checkpoints and says so.

    Args:
        folder: of this training; None keeps nothing.
        say: prints a message.
        mirror: the object store of which `folder` is a part; None for a folder that stays.

    Attributes:
        seconds: time that saving has taken so far in this process.
    """

    def __init__(self, folder: Path | None, say: Say, mirror: Mirror | None = None):
        self._own, self._say, self._mirror = folder, say, mirror
        self._ended, self._took = time.monotonic(), 0.0
        self.seconds = 0.0

    @property
    def _folder(self) -> Path | None:
        """Where to save; None for no longer."""
        return None if self._mirror and self._mirror.lost else self._own

    def _push(self) -> None:
        if self._mirror:
            self._mirror.push()

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
        rate = RATE if self._mirror else STORE_RATE
        return self._folder is not None and size <= SHARE * seconds * rate

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
        except (OSError, MemoryError) as error:
            self._give_up("written to", error)
        else:
            self._push()
        self._ended = time.monotonic()
        self._took = self._ended - begun
        self.seconds += self._took

    def load(self, name: str) -> dict[str, Any] | None:
        """Reads what `save` wrote; None if there is nothing, or if it cannot be used, which is said.

        Args:
            name: of the file, without its ending.
        """
        if self._folder is None:
            return None
        path = self._folder / f"{name}.npz"
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:  # perhaps only for now, so that the file stays
            self._give_up("read", error)
        except Exception as error:  # whatever numpy, zipfile and json make of damaged content
            self._tell(f"the checkpoint {path} is damaged ({printable(error)}), so what it contains is made anew")
            with contextlib.suppress(OSError):
                path.unlink()
        return None

    def _give_up(self, what: str, error: Exception) -> None:
        self._tell(
            f"the training goes on without checkpoints, since {self._own} cannot be {what} ({reason(error)}): if it "
            "is interrupted, it goes back to the last one"
        )
        self._own = None

    def _tell(self, message: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads the output any more
            self._say(message)

    def remove(self) -> None:
        """Removes what `save` wrote."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._push()

    def or_anew(self, train: Callable[[], Result], forget: Callable[[], None]) -> Result:
        """Trains, and if the checkpoint does not fit, trains anew.

        Args:
            train: continues from the checkpoint if there is one; may raise `UnusableError`.
            forget: drops what was taken from the checkpoint.
        """
        try:
            return train()
        except UnusableError as error:
            self._say(f"the checkpoint does not fit this training ({error}), so it starts anew")
            self.remove()
            forget()
            return train()

    def forget(self) -> None:
        """Removes what `save` and `finish` wrote."""
        if self._folder is not None:
            shutil.rmtree(self._finished(self._folder), ignore_errors=True)
            self.remove()

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
        except (OSError, UserError) as error:
            self._tell(f"the model was not added to the checkpoints ({reason(error)})")
            return
        self.remove()

    def finished(self, regime: str, seed: int, model: Path) -> TrainingRecord | None:
        """Takes the model that another process has finished; None if there is none.

        Args:
            regime: of the model.
            seed: of its training.
            model: new folder for it.

        Raises:
            OSError: it cannot be copied to `model`.
        """
        if self._folder is None:
            return None
        folder = self._finished(self._folder)
        try:
            if not folder.is_dir():
                return None
            kept = TrainedModel.load(folder)
            with zipfile.ZipFile(kept.model_file) as archive:
                if damaged := archive.testzip():
                    raise zipfile.BadZipFile(damaged)
            if (kept.training["regime"], kept.training["seed"]) != (regime, seed):
                raise UserError("it is of another training")
        except OSError as error:
            self._give_up("read", error)
            return None
        except Exception as error:
            self._tell(f"the finished model in {folder} is damaged ({printable(error)}), so it is trained again")
            shutil.rmtree(folder, ignore_errors=True)
            return None
        shutil.copytree(folder, model)
        self._tell("taken from the checkpoints of an interrupted process")
        return kept.training

    @staticmethod
    def _finished(folder: Path) -> Path:
        return folder.with_name(f"{folder.name}-finished")


def reason(error: Exception) -> str:
    """An error in words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


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
