"""The folder that keeps downloads from run to run, and its locks."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock

from components import console

CACHE_VARIABLE = "PNEUMONIA_BENCHMARK_CACHE"


def cache_folder(workspace: Path) -> Path:
    """Returns the folder that keeps downloads from run to run.

    It is `$PNEUMONIA_BENCHMARK_CACHE`, or else `pneumonia-benchmark` in the user's cache folder (XDG). It may be
    deleted while no run is active.

    Args:
        workspace: temporary folder of this run, used if the cache folder is not writable.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "pneumonia-benchmark")
    folder = Path(os.environ.get(CACHE_VARIABLE) or home)
    with contextlib.suppress(OSError, RuntimeError):  # a user of a container may have no home at all
        folder = folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{secrets.token_hex(8)}"
        probe.touch()
        probe.unlink()
        return folder
    console.say("ingest", f"{folder} is not writable, so downloads are not kept for the next run")
    return workspace / "cache"


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Locks the folder for this process; a second process waits and then finds the finished download."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        console.say("ingest", "another run is downloading the same data: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
