"""Filters what kfp and the steps print."""

import re
import time
from typing import TextIO

from components import console

_FAILED = re.compile(r"finished with status \S*FAILURE")
"""What kfp prints after a failed step, with colour codes before the status."""


_BEGUN = re.compile(r"Executing task \S*?'([\w-]+)'")
"""What kfp prints before a step."""


class OutputFilter:
    """Writes all lines to the log, and the progress lines to the terminal.

    Args:
        terminal: where progress lines go.
        log: where all lines go.
        verbose: write all lines to the terminal.

    Attributes:
        task: the step that runs, or ran last, as the graph names it; "" before the first.
        error: its last error message; "" if there is none. A step may have one and succeed: train outlives a training.
        failed: whether kfp has reported a failed step.
    """

    def __init__(self, terminal: TextIO, log: TextIO, verbose: bool):
        self._terminal, self._log, self._verbose = terminal, log, verbose
        self._begun = time.monotonic()
        self.task = self.error = ""
        self.failed = False

    def write(self, line: str) -> None:
        """Writes the next line, which ends with a line break."""
        self._log.write(line)
        self._log.flush()
        if self._verbose:
            self._terminal.write(line)
            self._terminal.flush()
        self.failed = self.failed or bool(_FAILED.search(line))
        if begun := _BEGUN.search(line):
            self.task, self.error = begun[1], ""
        _, prefix, message = line.rstrip("\n").partition(console.PREFIX)
        if message.startswith("error: "):
            self.error = message.removeprefix("error: ")
        elif prefix and not self._verbose:
            minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
            self._terminal.write(f"{minutes:3d}:{seconds:02d}  {message}\n")
            self._terminal.flush()
