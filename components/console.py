"""Messages of the steps: progress, and errors that name the remedy.

All lines have the same prefix, so that they stand out in the log of a pod and `pipelines.local` can show only these.
"""

import contextlib
import errno
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PREFIX = "pneumonia-benchmark: "

Say = Callable[[str], None]
"""Prints a progress message, as `say` does for a step."""

_SURROGATES = frozenset(map(chr, range(0xDC80, 0xDD00)))


class UserError(Exception):
    """An error that the user can fix; the message is one sentence that names the cause and the remedy."""


def printable(text: object) -> str:
    """A name or path as one line of plain text: it may contain line breaks and terminal control sequences."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text))


def one_line(text: str) -> str:
    """Text of another program as one line: line breaks are spaces, control characters are escaped."""
    return printable(" ".join(text.split()))


def plain(text: str) -> str:
    """The text with bytes that are not UTF-8 as escape sequences."""
    return text.encode("utf-8", "backslashreplace").decode()


def check_name(path: str | Path) -> None:
    """Checks that tables and reports can contain the name of a file or folder.

    Raises:
        UserError: its name or that of a parent folder is not UTF-8.
    """
    path = Path(path).absolute()
    for part in (*reversed(path.parents), path):
        if not _SURROGATES.isdisjoint(part.name):
            raise UserError(f"the name of {plain(str(part))} is not UTF-8: rename it")


def say(step: str, message: str) -> None:
    """Prints one progress message.

    Args:
        step: name of the step, for example "ingest" or "train custom_cnn".
        message: the message, which is joined to one line.
    """
    print(f"{PREFIX}{step}: {' '.join(message.split())}", flush=True)


def say_error(message: str) -> None:
    """Prints an error message, which is joined to one line, to standard error."""
    print(f"{PREFIX}error: {plain(' '.join(message.split()))}", file=sys.stderr, flush=True)


class Progress:
    """Prints the progress of long work at intervals.

    Args:
        step: name of the step, as in `say`.
        what: items and what happened to them, for example "images decoded".
        total: number of items.
        seconds: smallest time between two messages.
    """

    def __init__(self, step: str, what: str, total: int, seconds: float = 10.0):
        self._step, self._what, self._total, self._seconds = step, what, total, seconds
        self._last = time.monotonic()

    def reach(self, done: int) -> None:
        """Reports that `done` of the total are done."""
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            say(self._step, f"{done} of {self._total} {self._what}")


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the process with one clear line instead of a traceback if the user can fix the cause.

    Raises:
        SystemExit: with code 2 after a `UserError`, a full disk, a missing permission, a read-only disk or a file name
            that is not UTF-8, with code 130 after Ctrl-C. Other exceptions are defects of this project and keep their
            traceback.
    """
    code = 2
    try:
        yield
    except KeyboardInterrupt:
        code, message = 130, "stopped before the end: no incomplete results are left, run it again at any time"
    except Exception as error:
        found = explanation(error)
        if found is None:
            raise
        message = found
    else:
        return
    say_error(message)
    raise SystemExit(code)


def explanation(error: Exception) -> str | None:
    """What a user can do about an error, in one sentence; None for a defect of this project."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        # Python represents bytes that are not UTF-8 as surrogates, which cannot be written to files and terminals.
        if not set(error.object[error.start : error.end]) <= _SURROGATES:
            return None
        shown = plain(error.object[max(0, error.start - 100) : error.end + 20])
        return f"a name is not UTF-8, see {shown!r}: rename the file or folder"
    return _explanation_of_system(error) if isinstance(error, OSError) else None


def _explanation_of_system(error: OSError) -> str | None:
    if isinstance(error, PermissionError):
        place = error.filename or f"what the step has to read or write ({error})"
        return f"no permission for {place}: change its owner or mode, or choose another folder"
    if error.errno == errno.EROFS:
        return f"{error.filename or 'the output folder'} is on a read-only disk: choose another folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" while writing {error.filename}" if error.filename else ""
        return f"the disk is full{place}: free some space or choose another output folder, then run again"
    return None
