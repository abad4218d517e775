"""How an alarm ends a process: a line for each, and an exit code of its own."""

import contextlib
from collections.abc import Iterator

from components.console import say_error
from components.record.gate import RegressionError
from components.tracking.names import REGRESSION_CODE


@contextlib.contextmanager
def red() -> Iterator[None]:
    """Ends the process with `names.REGRESSION_CODE` after a `RegressionError`."""
    try:
        yield
    except RegressionError as found:
        for line in found.lines:
            say_error(line)
        raise SystemExit(REGRESSION_CODE) from None
