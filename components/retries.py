"""Retries after temporary errors of networks and servers.

The steps need their own retries, since Kubeflow Pipelines 2.17 and later do not retry a step that ends with an error.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from components.console import Say, UserError

ATTEMPTS = 9
"""Number of attempts without progress before the step fails; they take about three minutes."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; the wait doubles each time."""
LONGEST_WAIT = 60.0
"""Seconds."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""HTTP status codes after which another attempt may succeed."""

T = TypeVar("T")


class TransientError(UserError):
    """An error after which another attempt may succeed: the network is down, or a server is busy."""


def wait(failures: int, asked: float = 0.0) -> float:
    """Seconds to wait after a number of consecutive failures, or `asked` (by the server) if that is longer."""
    return min(LONGEST_WAIT, max(asked, FIRST_WAIT * 2 ** (failures - 1)))


def persist(attempt: Callable[[], T], say: Say, attempts: int | None = None) -> T:
    """Calls `attempt` until it does not fail with a `TransientError`, and returns its result.

    Args:
        attempt: resumes where the last call stopped, or starts again.
        say: prints a message.
        attempts: how many; None for `ATTEMPTS`.

    Raises:
        TransientError: the error of the last attempt.
    """
    attempts = attempts or ATTEMPTS
    for failures in range(1, attempts):
        try:
            return attempt()
        except TransientError as error:
            seconds = wait(failures)
            say(f"{error}; attempt {failures + 1} of {attempts} in {seconds:.0f} s")
            time.sleep(seconds)
    return attempt()
