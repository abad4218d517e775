"""A process that decodes JPEG Lossless and JPEG-LS; `decoder.py` starts it by the path of this file.

The decoders are native code and process untrusted files: a crash ends this process and not the step. For each image it
receives a `REQUEST` and the compressed image; it answers with one byte, and with the pixels if that is `OK`.
"""

import contextlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any

REQUEST = struct.Struct("<BBIIQ")
"""Number of the decoder, bytes per pixel, rows, columns, bytes of the compressed image."""
JPEG_LOSSLESS, JPEG_LS = 1, 2
OK, DAMAGED, NO_MEMORY = b"\0", b"\1", b"\2"

MAX_MEMORY = 2 * 1024**3
"""Address space in bytes. The largest allowed image has 200 MB, its file at most twice as many."""
MAX_SECONDS, MAX_SECONDS_A_PIXEL = 0.5, 0.25e-6
"""Processor time per image, 15 times the usual. CharLS counts to 2^31 at the end of some damaged images."""


def serve(decoders: dict[int, Callable[[bytes], Any]]) -> None:
    """Decodes images from standard input until its end.

    Args:
        decoders: by number; each returns an array of the pixels.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of a decoder must not be mistaken for an answer
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # it ends the process
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MAX_MEMORY)):
        with contextlib.suppress(ValueError, OSError):  # macOS does not limit the address space
            resource.setrlimit(kind, (value, value))
    while len(request := requests.read(REQUEST.size)) == REQUEST.size:
        decoder, width, rows, columns, length = REQUEST.unpack(request)
        try:
            packed = requests.read(length)
            signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS + MAX_SECONDS_A_PIXEL * rows * columns)
            pixels = decoders[decoder](packed)
            sound = pixels.shape == (rows, columns) and pixels.dtype == f"u{width}"
            answer = [OK, pixels.data] if sound else [DAMAGED]
        except MemoryError:
            answer = [NO_MEMORY]
        except Exception:  # exceptions differ between decoders
            answer = [DAMAGED]
        signal.setitimer(signal.ITIMER_PROF, 0)
        for part in answer:
            answers.write(part)
        answers.flush()


if __name__ == "__main__":
    import imagecodecs

    serve({JPEG_LOSSLESS: imagecodecs.ljpeg_decode, JPEG_LS: imagecodecs.jpegls_decode})
