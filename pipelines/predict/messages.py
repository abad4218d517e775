"""Messages on standard error; standard output is for predictions."""

import sys
from pathlib import Path

from components import console


def printable(path: Path) -> str:
    """A path as one line of plain text: a file name may contain line breaks and terminal control sequences."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(path))


def note(message: str) -> None:
    """Prints a message on standard error."""
    print(f"{console.PREFIX}predict: {message}", file=sys.stderr, flush=True)
