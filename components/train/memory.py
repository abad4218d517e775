"""How the C library manages this process's memory; decided before anything else allocates much or starts a thread."""

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Numbers of glibc's mallopt(3)."""


def keep_freed_memory() -> None:
    """Lets glibc reuse large blocks instead of handing them back to the system after every operation.

    A training step allocates and frees the same hundred blocks again and again. By default that gives 800 MB of pages
    back and takes them anew in every step of full fine-tuning MobileNetV2, and half of the time goes into page faults.
    Threads that have an arena of their own already would keep it, so this must come first. Elsewhere than on Linux
    with glibc it does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
