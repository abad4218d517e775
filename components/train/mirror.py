"""The copy of a folder of checkpoints in an object store, from which another machine continues.

The store replaces each object as a whole, and every checkpoint is one object. Names in the store are not trusted: only
`NAMES` are downloaded. Content is checked when it is read, like that of a file.
"""

import contextlib
import errno
import itertools
import os
import re
import shutil
from pathlib import Path

from components.artifacts import trained_model
from components.console import Say, UserError
from components.object_stores.store import Object, Store
from components.retries import TransientError, persist
from components.train.lease import ATTEMPTS, Lease

RATE = 50e6
"""Bytes per second at which files are assumed to reach a store: one connection, with a margin for a busy network."""

NAMES = re.compile(
    r"seed-[0-9]{1,10}(?:-candidate-[0-9]{1,5})?"
    r"(?:/[a-z]{1,40}\.npz|-finished/(?:model\.keras|training\.json|tuning\.csv))"
    r"|(?:shared|budget-[0-9]{1,9}-draw-[0-9]{1,2}(?:-finished)?)/[a-z]{1,40}\.npz"
)
"""Names below the place of a task that are uploaded and downloaded; there are no others."""

LOCK = "lock"
"""Name of the lease below the place of a task."""

_MOST = 10_000
"""Objects that are looked at."""

_Stamp = tuple[int, int, int]


class Mirror:
    """The objects of one task's checkpoints, and the folder of which they are a copy.

    Errors of the store do not end the training. After one that may pass, the next checkpoint is uploaded with what is
    missing; after another one, no more is.

    Args:
        store: the bucket.
        prefix: of the names of the objects, with a slash at its end.
        folder: on this machine; only this process writes to it.
        lease: of this process on the objects.
        say: prints a message.
        shown: the place in messages.

    Attributes:
        lost: whether nothing is uploaded any more.
    """

    def __init__(self, store: Store, prefix: str, folder: Path, lease: Lease, say: Say, shown: str):
        self._store, self._prefix, self._folder, self._lease = store, prefix, folder, lease
        self._say, self._shown = say, shown
        self._stored: dict[str, _Stamp | None] = {}
        self._failing = False
        self.lost = False

    def download(self) -> None:
        """Fills the folder with what another process has left.

        Raises:
            TransientError: the store cannot be reached.
            UserError: the store refuses.
            OSError: the disk is full.
        """
        found = persist(self._listed, self._say, ATTEMPTS)
        self._stored = dict.fromkeys(found)  # what is not downloaded below is deleted with the next change
        # Of a finished model the record comes last.
        whole = {name.rpartition("/")[0] for name in found if name.endswith(f"-finished/{trained_model.RECORD}")}
        wanted = {
            name: item for name, item in found.items() if name.endswith(".npz") or name.rpartition("/")[0] in whole
        }
        if sum(item.size for item in wanted.values()) > shutil.disk_usage(self._folder).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))
        persist(lambda: self._download(wanted), self._say, ATTEMPTS)

    def _listed(self) -> dict[str, Object]:
        """The objects by their names below the place; others than those of checkpoints are left out."""
        names = ((item.name.removeprefix(self._prefix), item) for item in self._store.below(self._prefix))
        return {name: item for name, item in itertools.islice(names, _MOST) if NAMES.fullmatch(name)}

    def _download(self, wanted: dict[str, Object]) -> None:
        missing = {}
        for name, item in wanted.items():
            path = self._folder / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                missing[path.with_name(f".{path.name}.partial")] = path, item

        def take(partial: Path) -> None:
            path, item = missing[partial]
            if partial.stat().st_size != item.size:
                raise TransientError(f"an object below {self._shown} has another size than announced")
            partial.replace(path)
            self._stored[path.relative_to(self._folder).as_posix()] = _stamp(path)

        self._store.save([(item, partial) for partial, (_, item) in missing.items()], take)

    def push(self) -> None:
        """Brings all changes of the folder to the store."""
        if self.lost:
            return
        try:
            if not self._lease.held():
                self._give_up("another process has taken them over")
                return
            self._synchronise()
            self._failing = False
        except TransientError as error:
            if not self._failing:
                self._tell(f"this checkpoint was not uploaded, but the next one may be ({error})")
            self._failing = True
        except UserError as error:
            self._give_up(str(error))
        except OSError as error:  # a file cannot be read
            self._give_up(error.strerror or str(error))

    def _synchronise(self) -> None:
        paths = {path.relative_to(self._folder).as_posix(): path for path in self._folder.glob("*/*")}
        stamps = {name: _stamp(path) for name, path in paths.items() if NAMES.fullmatch(name)}
        changed = [name for name, stamp in stamps.items() if self._stored.get(name) != stamp]
        for name in sorted(changed, key=lambda name: name.endswith(trained_model.RECORD)):
            self._store.upload(paths[name], self._prefix + name)
            self._stored[name] = stamps[name]
        for name in self._stored.keys() - stamps.keys():
            self._store.delete(self._prefix + name)
            del self._stored[name]

    def _give_up(self, why: str) -> None:
        self.lost = True
        self._tell(f"the training goes on without further checkpoints in {self._shown}: {why}")

    def clear(self) -> None:
        """Deletes all objects but the lease."""
        if self.lost:
            return
        try:
            if not self._lease.held():
                return
            for item in list(self._store.below(self._prefix)):
                if item.name != self._prefix + LOCK:
                    self._store.delete(item.name)
        except UserError as error:
            self._tell(f"the checkpoints in {self._shown} are no longer needed, but cannot be deleted ({error})")

    def _tell(self, message: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads the output any more
            self._say(message)


def _stamp(path: Path) -> _Stamp:
    """What changes when a file is replaced."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
