"""Settings of a whole Python process: every entry point (command or pipeline task) calls `prepare` first.

Importing a module of this project changes nothing outside it, so that other programs can use single modules.
"""

import atexit
import contextlib
import ctypes
import gc
import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Numbers of glibc's mallopt(3)."""


def prepare() -> None:
    """Sets up garbage collection and warnings for a process that runs one step and ends.

    A step imports half a million objects, works and ends. Python's garbage collector would go through all of them
    several times while TensorFlow is imported (0.4 s) and once more at the end (0.9 s). Call this before any heavy
    import. Calling it twice does no harm.
    """
    gc.set_threshold(50_000)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    _silence_image_libraries()


def _silence_image_libraries() -> None:
    """Suppresses warnings of Pillow and pydicom about single files.

    Pillow's name no file, and files that cannot be decoded are listed with a reason anyway. pydicom's may quote the
    file's tags, patient names included, which must not appear in logs.
    """
    warnings.filterwarnings("ignore", module="PIL")
    warnings.filterwarnings("ignore", module="pydicom")
    # Not its level, which pydicom sets when it is imported.
    logger = logging.getLogger("pydicom")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


@contextlib.contextmanager
def handling(handler: Callable[[int, Any], Any] | int, *numbers: signal.Signals) -> Iterator[None]:
    """Handles signals in the block; only the main thread can, and in others this does nothing.

    Args:
        handler: as of `signal.signal`.
        numbers: the signals.
    """
    try:
        before = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)


def keep_freed_memory() -> None:
    """Makes glibc reuse large blocks instead of returning them to the system after every operation; for training.

    A training step allocates and frees the same hundred blocks again and again. By default, every step of full
    fine-tuning of MobileNetV2 returns 800 MB of pages and requests them again, and half of the time goes into page
    faults. Call this before any thread starts, since a thread keeps the arena that it has. On systems other than Linux
    with glibc it does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
