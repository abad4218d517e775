"""JPEG Lossless and JPEG-LS images of DICOM files: their headers, and their pixels from a process that decodes them."""

import re
from typing import NamedTuple

import numpy as np
import pydicom
from pydicom import uid

from components.imaging import decoder, decoder_process
from components.imaging.dicom_tags import UnusableError

SYNTAXES = (uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless)

_SOF_LOSSLESS, _SOF_LS, _TABLES, _RESTARTS, _SCAN = 0xC3, 0xF7, 0xC4, 0xDD, 0xDA
_FRAMES = {_SOF_LS, *range(0xC0, 0xD0)} - {_TABLES, 0xC8, 0xCC}
_MOST_SEGMENTS = 100
"""Headers have about five."""
_PAST_END = bytes(8)
"""What the decoder of JPEG Lossless may read ahead."""
_DAMAGED_HEADER = "the DICOM file's compressed image has a damaged header"
_OTHER_KIND = "the DICOM file's compressed image is of another kind than its transfer syntax"
_TOO_EARLY = "the DICOM file's compressed image ends too early"
_CONVERT = "convert it to Explicit VR Little Endian, for example with gdcmconv --raw"


class Header(NamedTuple):
    """What a compressed image says of itself.

    Attributes:
        precision: bits a pixel.
        rows: height in px.
        columns: width in px.
        components: values a pixel.
        segments: content of each of its segments up to the first scan's, by marker.
        start: where the scan's data begin.
    """

    precision: int
    rows: int
    columns: int
    components: int
    segments: dict[int, bytes]
    start: int

    @property
    def near(self) -> int:
        """By how much a pixel of a JPEG-LS image may differ from what it was."""
        return self.segments[_SCAN][3] if _SOF_LS in self.segments else 0


def header(packed: bytes) -> Header:
    """Reads the header of a JPEG image (ITU-T T.81, B.2, and T.87, C.2).

    Raises:
        UnusableError: it is none, or has another kind of compression than these two.
    """
    segments: dict[int, bytes] = {}
    place = 2 if packed[:2] == b"\xff\xd8" else len(packed)
    for _ in range(_MOST_SEGMENTS):
        marker = re.compile(rb"\xff+([\xc0-\xcf\xda-\xfe])(..)", re.DOTALL).match(packed, place)
        if _SCAN in segments or not marker:
            break
        kind, length = marker[1][0], int.from_bytes(marker[2])
        place = marker.end() + length - 2
        if kind in _FRAMES and (kind not in (_SOF_LOSSLESS, _SOF_LS) or not _FRAMES.isdisjoint(segments)):
            raise UnusableError(_OTHER_KIND)
        segments[kind] = segments.get(kind, b"") * (kind == _TABLES) + packed[marker.end() : place]
    frame = segments.get(_SOF_LOSSLESS, segments.get(_SOF_LS, b""))
    if _SCAN not in segments or len(frame) < 6:
        raise UnusableError(_DAMAGED_HEADER)
    precision, rows, columns, components = frame[0], frame[1:3], frame[3:5], frame[5]
    return Header(precision, int.from_bytes(rows), int.from_bytes(columns), components, segments, place)


def check(dataset: pydicom.Dataset, packed: bytes) -> None:
    """Refuses an image that contradicts what the file declares, or that the decoders do not read.

    Raises:
        UnusableError: the reason.
    """
    found, syntax = header(packed), dataset.file_meta.TransferSyntaxUID
    of_kind = _SOF_LS if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless) else _SOF_LOSSLESS
    if of_kind not in found.segments:
        raise UnusableError(_OTHER_KIND)
    if (found.rows, found.columns) != (dataset.Rows, dataset.Columns):
        raise UnusableError("the DICOM file's compressed image has another size than the file declares")
    if found.components != dataset.SamplesPerPixel:
        raise UnusableError("the DICOM file's compressed image has other colours than the file declares")
    if found.components != 1:
        raise UnusableError(f"its colours are {syntax.name}, of which only grey is read here: {_CONVERT}")
    signed = dataset.PixelRepresentation == 1
    if not 2 <= found.precision <= min(dataset.BitsAllocated, 16) or (signed and found.precision < dataset.BitsStored):
        raise UnusableError(
            f"the DICOM file's compressed image has {found.precision} bits where the file declares "
            f"{dataset.BitsStored} of {dataset.BitsAllocated}"
        )
    scan = found.segments[_SCAN]
    if len(scan) != 6 or scan[0] != 1:
        raise UnusableError(_DAMAGED_HEADER)
    if of_kind == _SOF_LOSSLESS:
        _check_lossless(found)
    elif scan[2]:
        raise UnusableError(f"its JPEG-LS pixels are numbers of a table, which are not read here: {_CONVERT}")
    if scan[5]:
        raise UnusableError(f"its {syntax.name} leaves out bits (point transform), which is not read here: {_CONVERT}")


def _check_lossless(found: Header) -> None:
    if any(found.segments.get(_RESTARTS, b"")):
        raise UnusableError(f"its JPEG Lossless has restart intervals, which are not read here: {_CONVERT}")
    if not 1 <= found.segments[_SCAN][3] <= 7:
        raise UnusableError(_DAMAGED_HEADER)
    counts, values = _table(found)
    # Codes of n bits are 2 ** n at most, and each of them takes its share of the longer ones.
    share = sum(count / 2**bits for bits, count in enumerate(counts, 1))
    if not len(values) == sum(counts) > 0 or max(values) > 16 or share > 1:
        raise UnusableError(_DAMAGED_HEADER)


def _table(found: Header) -> tuple[bytes, bytes]:
    """Huffman table of the scan: how many codes there are of 1 to 16 bits, and their values."""
    tables, place = found.segments.get(_TABLES, b""), 0
    chosen = b"", b""
    while place < len(tables):
        counts = tables[place + 1 : place + 17]
        end = place + 17 + sum(counts)
        if tables[place] == found.segments[_SCAN][2] >> 4:
            chosen = counts, tables[place + 17 : end]  # a later table replaces an earlier one
        place = end
    return chosen


def _plain(packed: bytes, found: Header) -> bytes:
    """A JPEG Lossless image with nothing in it but what its decoder needs: that one takes any segment for its own."""
    end = re.compile(rb"\xff[^\0]").search(packed, found.start)
    if not end or not packed[end.start() :].lstrip(b"\xff").startswith(b"\xd9"):
        raise UnusableError(_TOO_EARLY)
    table = b"\0" + b"".join(_table(found))
    frame = found.segments[_SOF_LOSSLESS][:5] + b"\1\1\x11\0"
    scan = b"\1\1\0" + found.segments[_SCAN][3:4] + b"\0\0"
    parts = ((_TABLES, table), (_SOF_LOSSLESS, frame), (_SCAN, scan))
    segments = b"".join(bytes((255, kind)) + (len(part) + 2).to_bytes(2) + part for kind, part in parts)
    return b"\xff\xd8" + segments + packed[found.start : end.start()] + _PAST_END


def decode(packed: bytes) -> np.ndarray:
    """Decodes an image that `check` has let pass.

    Returns:
        uint8 or uint16 (height, width).

    Raises:
        UnusableError: it is damaged; or its decoder crashes, or needs too much time or memory.
    """
    found = header(packed)
    lossless = _SOF_LOSSLESS in found.segments
    if packed.find(b"\xff\xd9", found.start) < 0:
        raise UnusableError(_TOO_EARLY)
    content = _plain(packed, found) if lossless else packed
    kind, width = decoder_process.JPEG_LOSSLESS if lossless else decoder_process.JPEG_LS, 1 + (found.precision > 8)
    return decoder.decode(kind, content, found.rows, found.columns, width)
