"""Messages on standard error; standard output is for predictions."""

import sys

from components import console


def note(message: str) -> None:
    """Prints a message on standard error."""
    print(f"{console.PREFIX}predict: {message}", file=sys.stderr, flush=True)
