"""How a step speaks to the person who waits for it: progress lines, and errors that name the remedy.

Every line carries one prefix, so that it stands out in a pod's log and `pipelines.local` can show these lines alone.
"""

import contextlib
import errno
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "pneumonia-benchmark: "


_SURROGATES = frozenset(map(chr, range(0xDC80, 0xDD00)))


class UserError(Exception):
    """Something the user can put right; the message is one sentence that names the cause and the remedy."""


def plain(text: str) -> str:
    """The text with what is not UTF-8 in it as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_name(path: str | Path) -> None:
    """Makes sure that a file or folder has a name that the steps' tables and reports can hold.

    Raises:
        UserError: it, or a folder above it, has a name that is not UTF-8.
    """
    path = Path(path).absolute()
    for part in (*reversed(path.parents), path):
        if not _SURROGATES.isdisjoint(part.name):
            raise UserError(f"the name of {plain(str(part))} is not UTF-8: rename it")


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
        SystemExit: with code 2 after a `UserError`, a full disk, a missing permission, a read-only disk or a file name
            that is not UTF-8, with code 130 after Ctrl-C. Other exceptions are defects of this project and keep their
            traceback.
    """
    code = 2
    try:
        yield
    except KeyboardInterrupt:
        code, message = 130, "stopped before the end: nothing half-made is left, start again when you like"
    except UserError as error:
        message = str(error)
    except UnicodeEncodeError as error:
        # Python keeps bytes of a name that are not UTF-8 as surrogates, which no file and no terminal can take.
        if not set(error.object[error.start : error.end]) <= _SURROGATES:
            raise
        shown = plain(error.object[max(0, error.start - 100) : error.end + 20])
        message = f"a name is not UTF-8, see {shown!r}: rename the file or folder"
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
    print(f"{PREFIX}error: {plain(' '.join(message.split()))}", file=sys.stderr, flush=True)
    raise SystemExit(code)
