"""A lease on a place in an object store: while one process has it, no other one keeps checkpoints there.

A lease is an object that its owner writes again and again. Whoever wants it watches the version of the object; if that
does not change for `EXPIRES` seconds of the watcher's own clock, the owner is dead. All writing is conditional on the
version last seen, so that of two processes only one succeeds, and an owner that was stopped for long learns that it has
lost its lease. No clocks of different machines are compared.

Some stores that speak S3 ignore or refuse conditions on writing. There, every process has the lease.
"""

import contextlib
import itertools
import math
import secrets
import threading
import time
from functools import partial

from components.console import Say, UserError
from components.object_stores.store import ChangedError, Store, UnsupportedError
from components.retries import persist

RENEW = 20.0
"""Seconds from one renewal to the next."""

EXPIRES = 90.0
"""Seconds without a renewal after which another process takes the lease over."""

POLL = 2.0
"""Seconds between two looks at the lease of another process."""

LONGEST_RENEWAL = 5.0
"""Seconds to wait at the end for a renewal that is on its way."""

ATTEMPTS = 6
"""How often a store is asked that is busy or cannot be reached; that takes half a minute besides the store's own."""

_LONGEST = 200
"""Bytes; what is longer is no lease."""


class Lease:
    """The lease of this process, once `acquire` has succeeded.

    Args:
        store: with the object.
        name: of the object.

    Attributes:
        lost: whether another process has taken it over, or somebody has deleted it.
    """

    def __init__(self, store: Store, name: str):
        self._store, self._name = store, name
        self._owner, self._beats = secrets.token_hex(16).encode(), itertools.count()
        self._version: str | None = None
        self._renewed = -math.inf
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._void = False
        self.lost = False

    def acquire(self, say: Say, wait: float) -> bool:
        """Waits for the lease and renews it from then on, in a thread; says whether it is this process's.

        Args:
            say: prints a message.
            wait: seconds for which to wait for another process.

        Raises:
            TransientError: the store cannot be reached.
            UserError: it refuses.
        """
        try:
            acquired = self._acquire(say, wait)
            self._void = acquired and not self._store.keeps_conditions and not self._works(say)
        except UnsupportedError:
            acquired = self._void = True
        if self._void:
            say("this store has no conditions on writing, so nothing keeps another process from the same checkpoints")
            persist(lambda: self._store.delete(self._name), say, ATTEMPTS)
        elif acquired:
            threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return acquired

    def _acquire(self, say: Say, wait: float) -> bool:
        watched = since = None
        begun = time.monotonic()
        while True:
            found = persist(lambda: self._store.find(self._name), say, ATTEMPTS)
            now = time.monotonic()
            version = found.version if found else None
            if since is None or version != watched:
                if watched is None and found:
                    say(f"waiting up to {wait:.0f} s for another process that is using the checkpoints")
                watched, since = version, now
            dead = found is not None and now - since >= EXPIRES
            if (found is None or dead) and persist(lambda: self._write(version), say, ATTEMPTS):  # noqa: B023 (called at once)
                if dead:
                    say("the process that was using the checkpoints has ended")
                return True
            if now - begun >= wait:
                return False
            time.sleep(POLL)

    def _works(self, say: Say) -> bool:
        """Whether the store keeps to conditions on writing; if it does not, a lease means nothing."""
        before = self._version
        self.lost = not persist(lambda: self._write(before), say, ATTEMPTS)  # then somebody else has it
        return self.lost or all(persist(partial(self._refused, version), say, ATTEMPTS) for version in (before, None))

    def _refused(self, version: str | None) -> bool:
        """Whether the store refuses to write what is no longer in that version."""
        try:
            self._store.put(self._name, self._content(), version)
        except ChangedError:
            return True
        return False

    def _keep(self) -> None:
        """Renews the lease until it is released or lost."""
        while not self.lost and not self._ended.wait(RENEW):
            with contextlib.suppress(UserError):  # whoever writes checkpoints says it
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            if not self._ended.is_set():
                self.lost = self.lost or not self._write(self._version)

    def held(self) -> bool:
        """Whether the lease is still this process's; asks the store if the last renewal is no longer recent.

        Raises:
            UserError: the store refuses or cannot be reached.
        """
        if not (self._void or self.lost or self._is_recent()):
            self._renew()
        return not self.lost

    def _is_recent(self) -> bool:
        return time.monotonic() - self._renewed <= 2 * RENEW

    def release(self) -> None:
        """Ends the lease, so that another process has it at once; where the store is away, it expires."""
        ended_before = self._ended.is_set()
        self._ended.set()
        if ended_before or self._void or self.lost or not self._is_recent():
            return
        # A renewal that is on its way would write the object again, since some stores do not mind that there is none.
        waited = self._lock.acquire(timeout=LONGEST_RENEWAL)
        with contextlib.suppress(UserError):
            self._store.delete(self._name)
        if waited:
            self._lock.release()

    def _content(self) -> bytes:
        return self._owner + b" %d" % next(self._beats)

    def _write(self, version: str | None) -> bool:
        """Writes the lease if it has that version, or none if None; says whether it is this process's now."""
        for _ in range(2):
            try:
                self._version = self._store.put(self._name, self._content(), version)
            except ChangedError:
                # Perhaps by this process, by a request whose answer was lost.
                version = self._own_version()
                if version is None:
                    return False
            else:
                self._renewed = time.monotonic()
                return True
        return False

    def _own_version(self) -> str | None:
        """The version of the lease in the store if this process has written it."""
        found = self._store.find(self._name)
        if not found or not 0 < found.size <= _LONGEST:
            return None
        try:
            content = self._store.read(found, 0, found.size)
        except ChangedError:  # another process has it, or has just ended it
            return None
        return found.version if content.startswith(self._owner) else None
