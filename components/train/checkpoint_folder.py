"""The place in which the trainings of one task keep checkpoints: its name, and that nobody else uses it.

It is a folder, or a part of an object store, of which a temporary folder is then the copy on this machine.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from components.artifacts import files
from components.console import Say, UserError
from components.object_stores.store import open_bucket
from components.retries import TransientError
from components.source_checks import check_bucket
from components.train.checkpoint import Checkpoint, reason
from components.train.lease import Lease
from components.train.mirror import LOCK, Mirror

PACKAGE = Path(__file__).resolve().parents[1]

WAIT = 180.0
"""Seconds to wait for the lock. A file system of the network may free that of a lost machine only after minutes."""

_OF_THE_STORE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT)
"""Errors of a full or lost store; others are mistakes."""


@dataclass(frozen=True)
class Place:
    """Where the trainings of one task keep checkpoints.

    Attributes:
        folder: on this machine; None if there are no checkpoints, because none are wanted, or another process is using
            the place, or the store is away.
        mirror: the object store; None where `folder` itself stays.
    """

    folder: Path | None = None
    mirror: Mirror | None = None

    def checkpoint(self, training: int | str, say: Say, candidate: int = 0) -> Checkpoint:
        """The checkpoint of one training.

        Args:
            training: its seed, or the name of its folder, one of `mirror.NAMES`.
            say: prints a message.
            candidate: number among the trainings of a search with this seed; 0 without a search, and for its result.
        """
        name = training if isinstance(training, str) else files.seed_folder(Path(), training).name
        if candidate:
            name = f"{name}-candidate-{candidate}"
        return Checkpoint(self.folder / name if self.folder else None, say, self.mirror)


@contextlib.contextmanager
def opened(folder: str | Path, key: str, say: Say, wait: float = WAIT, keep: bool = False) -> Iterator[Place]:
    """The place of the checkpoints of one task, which is removed if the block ends without an error.

    Args:
        folder: of all checkpoints, or a URL of an object store (`gs://bucket/prefix`, `s3://bucket/prefix`); "" for
            none.
        key: of everything on which the results depend.
        say: prints a message.
        wait: seconds to wait for another process that uses the place.
        keep: do not remove it.

    Raises:
        UserError: the folder cannot be written to, or the store refuses.
    """
    if not folder:
        yield Place()
    elif "://" in str(folder):
        with _opened_in_store(str(folder), key, say, wait, keep) as place:
            yield place
    else:
        with _opened_in_folder(folder, key, say, wait, keep) as place:
            yield place


def remove(folder: str | Path, key: str, say: Say) -> None:
    """Removes a place that was kept, unless another process is using it. Arguments as of `opened`."""
    try:
        with opened(folder, key, say, wait=0.0):
            pass
    except UserError as error:
        say(f"its checkpoints stay, though nothing needs them any more: {error}")


@contextlib.contextmanager
def _opened_in_store(url: str, key: str, say: Say, wait: float, keep: bool) -> Iterator[Place]:
    scheme, bucket, prefix = check_bucket(url).groups()
    place = f"{prefix.rstrip('/')}/{key}/" if (prefix or "").strip("/") else f"{key}/"
    shown = f"{scheme}://{bucket}/{place}"
    store = open_bucket(scheme, bucket, writing=True)
    lease = Lease(store, place + LOCK)
    with tempfile.TemporaryDirectory(prefix="checkpoints-", ignore_cleanup_errors=True) as copy:
        mirror = Mirror(store, place, Path(copy), lease, say, shown)
        try:
            if _filled(mirror, lease, shown, say, wait):
                yield Place(Path(copy), mirror)
                if not keep:
                    mirror.clear()
            else:
                lease.release()
                yield Place()
        finally:
            lease.release()


def _filled(mirror: Mirror, lease: Lease, shown: str, say: Say, wait: float) -> bool:
    """Takes the place in the store and downloads what is there; if that is impossible for now, says so."""
    try:
        if lease.acquire(say, wait):
            mirror.download()
            return True
    except (TransientError, OSError) as error:
        say(f"the training keeps no checkpoints in {shown}: {reason(error)}")
    else:
        say(f"another process is using the checkpoints in {shown}, so this one keeps none")
    return False


@contextlib.contextmanager
def _opened_in_folder(folder: str | Path, key: str, say: Say, wait: float, keep: bool) -> Iterator[Place]:
    place = Path(folder).absolute() / key
    try:
        lock = _locked(place, say, wait)
    except OSError as error:
        if error.errno not in _OF_THE_STORE:
            raise UserError(
                f"the folder of checkpoints {folder} cannot be written to ({reason(error)}): change its owner or mode, "
                "or choose another one"
            ) from None
        say(f"the training keeps no checkpoints, since {folder} cannot be written to ({reason(error)})")
        yield Place()
        return
    if lock is None:
        say(f"another process is using the checkpoints in {place}, so this one keeps none")
        yield Place()
        return
    with lock:
        for partial in place.rglob(".*partial*"):  # of processes that were killed
            shutil.rmtree(partial, ignore_errors=True) if partial.is_dir() else partial.unlink(missing_ok=True)
        yield Place(place)
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


def _locked(place: Path, say: Say, wait: float) -> TextIO | None:
    """Locks the place; the system unlocks it when the process ends, however it ends. None if that is impossible."""
    end, said = time.monotonic() + wait, False
    while True:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / "lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        except OSError:  # the file system has no locks
            return lock
        else:
            if os.fstat(lock.fileno()).st_nlink:
                return lock
            lock.close()  # its owner has removed it with the place
            continue
        if time.monotonic() >= end:
            return None
        if not said:
            said = True
            say(f"waiting up to {wait:.0f} s for another process that is using the checkpoints in {place}")
        time.sleep(0.2)


def key_of(regime: str, parts: Mapping[str, Any]) -> str:
    """The name of the place of a task's checkpoints.

    Args:
        regime: readable part of the name.
        parts: JSON values: everything besides the code on which the results depend.
    """
    text = json.dumps([regime, parts, _code(), files.versions()], sort_keys=True, default=str)
    return f"{regime}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _code() -> str:
    """SHA-256 over the code that trains and scores, the bundled weights included."""
    digest = hashlib.sha256()
    for pattern in ("*.py", "artifacts/*.py", "inference/*.py", "train/*.py", "train/*.npz"):
        for path in sorted(PACKAGE.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
