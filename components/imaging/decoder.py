"""Processes that decode: each image is sent to one that waits, and a fault of a decoder costs that image alone."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, cast

import numpy as np

from components.imaging import decoder_process
from components.imaging.dicom_tags import UnusableError

COMMAND = [sys.executable, "-P", decoder_process.__file__]
MAX_SECONDS = 60
"""For one image, on the clock; the process itself ends after fewer seconds of computing."""

_idle: list[subprocess.Popen[bytes]] = []
"""Processes that wait for an image. Each thread that decodes takes one and puts it back."""


def decode(kind: int, packed: bytes, rows: int, columns: int, width: int) -> np.ndarray:
    """Decodes an image in a process that waits, or in a new one.

    Args:
        kind: which of `decoder_process`'s decoders.
        packed: the compressed image.
        rows: height in px that the result has to have.
        columns: width in px, likewise.
        width: bytes a pixel.

    Returns:
        Unsigned integers (rows, columns).

    Raises:
        UnusableError: the image is damaged; or the decoder crashes, or needs too much time or memory.
    """
    length = rows * columns * width
    process = _running()
    requests, answers = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)  # both are pipes
    began = time.monotonic()
    timer = threading.Timer(MAX_SECONDS, process.kill)
    timer.start()
    status = pixels = b""
    try:
        requests.write(decoder_process.REQUEST.pack(kind, width, rows, columns, len(packed)))
        requests.write(packed)
        requests.flush()
        status = answers.read(1)
        pixels = answers.read(length) if status == decoder_process.OK else b""
    except BrokenPipeError:
        pass
    finally:
        timer.cancel()
    late = time.monotonic() - began >= MAX_SECONDS
    if late or not status or (status == decoder_process.OK and len(pixels) < length):
        raise UnusableError(f"the DICOM file's compressed image cannot be decoded: its decoder {_end(process, late)}")
    _idle.append(process)
    if status == decoder_process.NO_MEMORY:
        raise UnusableError("the DICOM file's compressed image needs more memory to decode than any should")
    if status != decoder_process.OK:
        raise UnusableError("the DICOM file's compressed image is damaged")
    return np.frombuffer(pixels, f"u{width}").reshape(rows, columns)


def _running() -> subprocess.Popen[bytes]:
    """A process that waits for an image; a new one where all are at work."""
    with contextlib.suppress(IndexError):
        while (process := _idle.pop()).poll() is not None:
            pass
        return process
    # Of the environment it gets what Python needs, and so no credentials.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    return subprocess.Popen(  # noqa: S603 (Python and a file of this project)
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept | {"OPENBLAS_NUM_THREADS": "1"},  # each thread would take of the address space
    )


def _end(process: subprocess.Popen[bytes], late: bool) -> str:
    """Ends a process, and says how it ended by itself if it did."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0 if late else 5)
    process.kill()
    process.communicate()
    code = process.returncode
    if late or code == -signal.SIGPROF:
        return "took too long"
    return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"


@atexit.register
def close() -> None:
    """Ends the processes that wait for an image."""
    while _idle:
        process = _idle.pop()
        process.kill()
        process.communicate()
