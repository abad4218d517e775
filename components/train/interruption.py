"""Requests to stop a training: Ctrl-C, and SIGTERM, which Kubernetes sends before it deletes a pod."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from components import process

TERMINATED = 128 + signal.SIGTERM
"""Exit code of a process that SIGTERM ended, as shells and Kubernetes report it."""


class Interruption:
    """Notes a request to stop, so that a training can first save where it is.

    While `deferred`, a request is only noted, and `check` raises it. At other times it is raised at once. A second
    request changes nothing: the supervising process may pass on what this process has received already. Signal handlers
    exist only in the main thread; in others this does nothing.
    """

    def __init__(self) -> None:
        self._deferring = False
        self._requested: int | None = None

    @property
    def requested(self) -> bool:
        """Whether there is a request that has only been noted."""
        return self._requested is not None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Handles SIGINT and SIGTERM in the block."""
        with process.handling(self._receive, signal.SIGINT, signal.SIGTERM):
            yield

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Notes requests in the block, which calls `check` often."""
        self._deferring = True
        try:
            yield
            self.check()
        finally:
            self._deferring = False

    def check(self) -> None:
        """Raises a request that was noted.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after SIGTERM, with the code `TERMINATED`.
        """
        if self._requested is not None:
            self._raise(self._requested)

    def _receive(self, number: int, _: FrameType | None) -> None:
        first, self._requested = self._requested is None, self._requested or number
        if first and not self._deferring:
            self._raise(number)

    def _raise(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)
