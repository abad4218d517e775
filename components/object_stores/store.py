"""What every object store can do here; `gcs.py` and `s3.py` implement it.

The client libraries are imported only when a bucket is opened, since that takes a second.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.console import UserError

THREADS = 16
PAYS_VARIABLE = "PNEUMONIA_BENCHMARK_REQUESTER_PAYS"
"""Environment variable for requester-pays buckets: the Google project to be billed; for S3 any value."""

_STORES = {"gs": "components.object_stores.gcs", "s3": "components.object_stores.s3"}


class ChangedError(UserError):
    """The object is not in the version that was asked for."""


class UnsupportedError(UserError):
    """The store does not know what was asked for."""


@dataclass(frozen=True)
class Object:
    """One object of a bucket; `version` changes with its content."""

    name: str
    size: int
    version: str


class Store(Protocol):
    """One bucket of an object store.

    All methods raise `UserError` if the store refuses, and `retries.TransientError` if it cannot be reached or is busy.
    The store replaces an object as a whole: nobody sees half of one.

    Attributes:
        keeps_conditions: whether it is certain that the condition of `put` is kept to.
    """

    keeps_conditions: bool

    def find(self, name: str) -> Object | None:
        """The object of exactly that name."""

    def below(self, prefix: str) -> Iterable[Object]:
        """The objects whose names begin with the prefix."""

    def read(self, item: Object, start: int, end: int) -> bytes:
        """The bytes from `start` (inclusive) to `end` (exclusive) of that version of the object.

        Raises:
            ChangedError: that version is no longer there.
        """

    def save(self, items: list[tuple[Object, Path]], on_saved: Callable[[Path], None]) -> None:
        """Writes objects to files, several at a time; calls `on_saved` with each complete file."""

    def put(self, name: str, content: bytes, version: str | None) -> str:
        """Writes a small object if nobody else has written it meanwhile.

        Args:
            name: of the object.
            content: of the object.
            version: that it must have; None if it must not exist yet.

        Returns:
            Its new version.

        Raises:
            ChangedError: it has another version, or none. That may also be the one that this call has just written: its
                first attempt may have succeeded although the answer was lost.
            UnsupportedError: the store has no such condition.
        """

    def upload(self, path: Path, name: str) -> None:
        """Writes a file to an object, whether it exists or not."""

    def delete(self, name: str) -> None:
        """Deletes an object, if it exists."""


def open_bucket(scheme: str, name: str, writing: bool = False) -> Store:
    """Opens a bucket; sends no request yet.

    Args:
        scheme: "gs" or "s3".
        name: of the bucket.
        writing: whether it will be written to, so that messages name the permission for that.

    Raises:
        UserError: the credentials or settings in the environment cannot be used.
    """
    store: Store = importlib.import_module(_STORES[scheme]).open_bucket(name, writing)
    return store
