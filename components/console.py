"""How a step speaks to the person who waits for it: progress lines, and errors that name the remedy.

Every line carries one prefix, so that it stands out in a pod's log and `pipelines.local` can show these lines alone.
"""

import contextlib
import errno
import sys
import time
from collections.abc import Iterator

PREFIX = "pneumonia-benchmark: "


class UserError(Exception):
    """Something the user can put right; the message is one sentence that names the cause and the remedy."""


def say(step: str, message: str) -> None:
    """Prints one progress line.

    Args:
        step: who speaks, for example "ingest" or "train custom_cnn".
        message: what happened, one line.
    """
    print(f"{PREFIX}{step}: {' '.join(message.split())}", flush=True)


class Progress:
    """Says from time to time how far a long piece of work is.

    Args:
        step: who speaks, as in `say`.
        what: what is done to what, for example "images decoded".
        total: how many there are.
        seconds: the least time between two lines.
    """

    def __init__(self, step: str, what: str, total: int, seconds: float = 10.0):
        self._step, self._what, self._total, self._seconds = step, what, total, seconds
        self._last = time.monotonic()

    def reach(self, done: int) -> None:
        """Takes note that `done` of the total are done."""
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            say(self._step, f"{done} of {self._total} {self._what}")


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the process with one clear line instead of a traceback where the user can mend the cause.

    Raises:
        SystemExit: with code 2 after a `UserError`, a full disk, a missing permission or a read-only disk, with code
            130 after Ctrl-C. Other exceptions are defects of this project and keep their traceback.
    """
    code = 2
    try:
        yield
    except KeyboardInterrupt:
        code, message = 130, "stopped before the end: nothing half-made is left, start again when you like"
    except UserError as error:
        message = str(error)
    except OSError as error:
        if isinstance(error, PermissionError):
            place = error.filename or f"what the step has to read or write ({error})"
            message = f"no permission for {place}: change its owner or mode, or choose another folder"
        elif error.errno == errno.EROFS:
            message = f"{error.filename or 'the output folder'} is on a read-only disk: choose another folder"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            place = f" while writing {error.filename}" if error.filename else ""
            message = f"the disk is full{place}: free some space or choose another output folder, then run again"
        else:
            raise
    else:
        return
    print(f"{PREFIX}error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    raise SystemExit(code)
