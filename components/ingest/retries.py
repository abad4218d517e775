"""How long ingest waits for a network or a server that is away.

It must do so itself: since Kubeflow Pipelines 2.17 a step that ends with an error is not tried again.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from components import console
from components.console import UserError

ATTEMPTS = 9
"""So often something is asked for without getting on, which is three minutes of waiting; then the step fails."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; each later wait is twice as long."""
LONGEST_WAIT = 60.0

T = TypeVar("T")


class TransientError(UserError):
    """What another attempt may change: a network that is down, a server that is busy."""


def wait(failures: int, asked: float = 0.0) -> float:
    """Seconds to wait after so many failures in a row, or as long as the server asked for, if that is longer."""
    return min(LONGEST_WAIT, max(asked, FIRST_WAIT * 2 ** (failures - 1)))


def persist(attempt: Callable[[], T]) -> T:
    """What `attempt` gives, tried again while it fails with a `TransientError`.

    Args:
        attempt: goes on where it stopped, or begins anew.

    Raises:
        TransientError: that of the last of `ATTEMPTS`.
    """
    for failures in range(1, ATTEMPTS):
        try:
            return attempt()
        except TransientError as error:
            seconds = wait(failures)
            console.say("ingest", f"{error}; attempt {failures + 1} of {ATTEMPTS} in {seconds:.0f} s")
            time.sleep(seconds)
    return attempt()
