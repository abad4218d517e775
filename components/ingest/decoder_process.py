"""A process that decodes JPEG Lossless and JPEG-LS, which `jpeg_lossless.py` starts by the path of this file.

The decoders are native code and get other people's files: a fault in them ends this process and not the step. For each
image it is given a `REQUEST` and the compressed image; it answers with one byte, and with the pixels if that is `OK`.
"""

import contextlib
import os
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

REQUEST = struct.Struct("<BBIIQ")
"""Which decoder, bytes a pixel, rows, columns, bytes of the compressed image."""
JPEG_LOSSLESS, JPEG_LS = 1, 2
OK, DAMAGED, NO_MEMORY = b"\0", b"\1", b"\2"

MAX_MEMORY = 2 * 1024**3
"""Address space in bytes. The largest image allowed has 200 MB, its file at most twice as many."""
MAX_SECONDS = 30
"""Computing time for one image; the largest allowed takes 3 s."""


def serve(decoders: dict[int, Callable[[bytes], Any]]) -> None:
    """Decodes image after image, until there are no more.

    Args:
        decoders: by number; each gives an array of the pixels.
    """
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints is no answer
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, MAX_MEMORY)
    while len(request := requests.read(REQUEST.size)) == REQUEST.size:
        decoder, width, rows, columns, length = REQUEST.unpack(request)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + MAX_SECONDS)
        try:
            pixels = decoders[decoder](requests.read(length))
            sound = pixels.shape == (rows, columns) and pixels.dtype == f"u{width}"
            answer = [OK, pixels.data] if sound else [DAMAGED]
        except MemoryError:
            answer = [NO_MEMORY]
        except Exception:  # each decoder has its own
            answer = [DAMAGED]
        for part in answer:
            answers.write(part)
        answers.flush()


def _limit(kind: int, value: int) -> None:
    """Sets a limit that can be raised again, no higher than the one there is."""
    _, highest = resource.getrlimit(kind)
    value = value if highest == resource.RLIM_INFINITY else min(value, highest)
    with contextlib.suppress(ValueError, OSError):  # macOS has no limit of the address space
        resource.setrlimit(kind, (value, highest))


if __name__ == "__main__":
    import imagecodecs

    serve({JPEG_LOSSLESS: imagecodecs.ljpeg_decode, JPEG_LS: imagecodecs.jpegls_decode})
