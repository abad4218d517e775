"""A pool of decoder processes, so that a crash of a decoder affects only one image."""

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
"""Wall time limit per image; the process itself has a lower limit of processor time."""

_idle: list[subprocess.Popen[bytes]] = []
"""Idle processes. Each thread that decodes takes one and returns it."""


def decode(kind: int, packed: bytes, rows: int, columns: int, width: int) -> np.ndarray:
    """Decodes an image in an idle process, or in a new one.

    Args:
        kind: number of a decoder in `decoder_process`.
        packed: the compressed image.
        rows: required height in px.
        columns: required width in px.
        width: bytes per pixel.

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
    """An idle process, or a new one if there is none."""
    with contextlib.suppress(IndexError):
        while (process := _idle.pop()).poll() is not None:
            pass
        return process
    # It gets only the environment variables that Python needs, so no credentials.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    atexit.unregister(close)
    atexit.register(close)
    return subprocess.Popen(  # noqa: S603 (Python and a file of this project)
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept | {"OPENBLAS_NUM_THREADS": "1"},  # threads would need address space
    )


def _end(process: subprocess.Popen[bytes], late: bool) -> str:
    """Ends a process and describes how it ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(0 if late else 5)
    process.kill()
    process.communicate()
    code = process.returncode
    if late or code == -signal.SIGPROF:
        return "took too long"
    return f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"


def close() -> None:
    """Ends the idle processes."""
    while _idle:
        process = _idle.pop()
        process.kill()
        process.communicate()
