"""DICOM files in every combination that is read, against numpy: python -m tests.imaging.dicom_matrix.

The expected image is computed from the values themselves, before they are laid out in bits, so no step of the product
has a part in it.
"""

import io
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid

from components.imaging import dicom
from tests.imaging import jpeg_encoder
from tests.imaging.dicom_files import make_dicom

SIDE = 24
SYNTAXES = {
    "implicit": uid.ImplicitVRLittleEndian,
    "explicit": uid.ExplicitVRLittleEndian,
    "big endian": uid.ExplicitVRBigEndian,
    "run lengths": uid.RLELossless,
    "JPEG": uid.JPEGBaseline8Bit,
    "JPEG extended": uid.JPEGExtended12Bit,
    "JPEG 2000 lossless": uid.JPEG2000Lossless,
    "JPEG 2000": uid.JPEG2000,
    "JPEG lossless": uid.JPEGLossless,
    "JPEG lossless SV1": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG-LS near": uid.JPEGLSNearLossless,
}
NEAR = 1
"""By how much the stored values of JPEG-LS near may come out different."""
LAYOUTS = {8: (5, 7, 8), 16: (5, 8, 10, 12, 14, 16), 32: (12, 16, 20, 32)}
"""Bits stored, for each number of bits allocated."""
DISPLAYS = ("nothing", "window", "exact", "sigmoid", "rescaled", "negative slope", "table", "modality table")
PADDINGS = ("none", "value", "range")


class Kind(NamedTuple):
    """One combination."""

    syntax: str
    allocated: int
    stored: int
    high: int
    signed: bool
    polarity: str
    display: str
    padding: str
    overlay: bool


def kinds() -> Iterator[Kind]:
    """Every combination that has a meaning."""
    for syntax, allocated in itertools.product(SYNTAXES, LAYOUTS):
        for stored in LAYOUTS[allocated]:
            highs = sorted({stored - 1, (stored + allocated) // 2 - 1, allocated - 1})
            for high, signed in itertools.product(highs, (False, True)):
                if syntax in ("JPEG", "JPEG extended") and (allocated, stored, signed) != (8, 8, False):
                    continue  # Pillow writes JPEGs of 8 bits without a sign
                if allocated == 32 and SYNTAXES[syntax].is_compressed:
                    continue  # the standard has none, and Pillow no JPEG 2000
                if syntax == "JPEG-LS near" and high + 1 != stored:
                    continue  # its errors would be in bits that are not stored
                overlays = (False,) if stored == allocated or syntax == "JPEG-LS near" else (False, True)
                for rest in itertools.product(("MONOCHROME1", "MONOCHROME2"), DISPLAYS, PADDINGS, overlays):
                    kind = Kind(syntax, allocated, stored, high, signed, *rest)
                    if "table" not in kind.display or stored <= 16:
                        yield kind


def largest_error(kind: Kind) -> float:
    """The largest difference of a pixel from numpy's answer, of 255.

    Raises:
        ValueError: the file was refused.
    """
    content, wanted = made(kind)
    return float(np.abs(dicom.read(content, 10**6)[0] - wanted).max())


def made(kind: Kind) -> tuple[bytes, np.ndarray]:
    """A file, and the image that it shows as floating-point numbers from 0 to 255."""
    lowest = -(1 << (kind.stored - 1)) if kind.signed else 0
    span = (1 << kind.stored) - 1
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    share = (rows + columns) / (2 * SIDE - 2) * 0.98
    values = np.round(lowest + span * share).astype(np.int64)
    values[-1, -1] = lowest + span
    packed = {}
    if kind.syntax in ("JPEG", "JPEG extended"):
        buffer = io.BytesIO()
        Image.fromarray(values.astype(np.uint8)).save(buffer, "JPEG", quality=95)
        values = np.asarray(Image.open(buffer)).astype(np.int64)
        packed = {"PixelData": pydicom.encaps.encapsulate([buffer.getvalue()])}
    if kind.syntax == "JPEG-LS near":
        packed = {"PixelData": _jpeg_lossless(kind, values, values)}
        restored = jpeg_encoder.as_restored(values, kind.stored, NEAR)
        values = restored - (restored >> (kind.stored - 1) << kind.stored) * kind.signed
    tags, padded = _padding(kind, values, lowest, span)
    more, shown = _display(kind, values, padded, lowest, span)
    shown = np.clip(shown, 0, 1)
    shown = 255 * (1 - shown if kind.polarity == "MONOCHROME1" else shown)
    shown[padded] = 0
    pixels = _laid_out(kind, values)
    if "2000" in kind.syntax:
        packed = {"PixelData": _jpeg_2000(kind, pixels)}
    if kind.syntax in ("JPEG lossless", "JPEG lossless SV1", "JPEG-LS"):
        packed = {"PixelData": _jpeg_lossless(kind, values, pixels)}
    if kind.syntax == "run lengths":
        packed = {"PixelData": run_lengths(pixels)}
    bits = {"BitsStored": kind.stored, "HighBit": kind.high, "PhotometricInterpretation": kind.polarity}
    return make_dicom(pixels, SYNTAXES[kind.syntax], **bits, **tags, **more, **packed), shown


def _padding(kind: Kind, values: np.ndarray, lowest: int, span: int) -> tuple[dict[str, Any], np.ndarray]:
    """Tags, and where the padding is; `values` gets a padded corner."""
    if kind.padding == "none":
        return {}, np.zeros(values.shape, bool)
    low, high = lowest + span // 16, lowest + span // 4
    if kind.padding == "value":
        high = low
    if kind.syntax not in ("JPEG", "JPEG extended", "JPEG-LS near"):
        values[:6, :6] = low  # what those hold is not ours to change
    # The tag has at most 16 bits.
    if low > 65_535 or high > 65_535 or low < -32_768:
        return {}, np.zeros(values.shape, bool)
    limit = {} if kind.padding == "value" else {"PixelPaddingRangeLimit": high}
    return {"PixelPaddingValue": low} | limit, (values >= low) & (values <= high)


def _display(
    kind: Kind, values: np.ndarray, padded: np.ndarray, lowest: int, span: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Tags, and shares of white before they are cut to 0 to 1."""
    if kind.display == "nothing":
        low, high = np.percentile(values[~padded], (0.5, 99.5))
        return {}, (values - low) / (high - low)
    centre, width = float(lowest + span // 2), float(span * 3 // 4 + 1)
    rescaled, tags = values.astype(float), {}
    if kind.display in ("rescaled", "negative slope"):
        slope, intercept = (0.5 if kind.display == "rescaled" else -2.0), -1000.0
        rescaled, centre = values * slope + intercept, centre * slope + intercept
        width = max(width * abs(slope), 2.0)
        tags = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    if "table" in kind.display:
        depth = 10
        entries = np.round(np.sqrt(np.linspace(0, 1, span + 1)) * 1023).astype(int)
        item = pydicom.Dataset()
        item.add_new("LUTDescriptor", "SS" if kind.signed else "US", [(span + 1) % 65_536, lowest, depth])
        item.add_new("LUTData", "OW", entries.astype("<u2" if kind.syntax != "big endian" else ">u2").tobytes())
        if kind.signed and span + 1 > 32_767:
            item["LUTDescriptor"].value = [(span + 1) % 65_536 - (65_536 if span + 1 == 32_768 else 0), lowest, depth]
        looked_up = entries[values - lowest]
        if kind.display == "table":
            return {"VOILUTSequence": [item]}, looked_up / 1023
        window = {"WindowCenter": 512, "WindowWidth": 1024}
        return {"ModalityLUTSequence": [item]} | window, (looked_up - 511.5) / 1023 + 0.5
    function = {"exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}.get(kind.display)
    tags |= {"WindowCenter": centre, "WindowWidth": width} | ({"VOILUTFunction": function} if function else {})
    if function == "SIGMOID":
        return tags, 1 / (1 + np.exp(-4 * (rescaled - centre) / width))
    if function == "LINEAR_EXACT":
        return tags, (rescaled - centre) / width + 0.5
    return tags, (rescaled - (centre - 0.5)) / (width - 1) + 0.5


def _laid_out(kind: Kind, values: np.ndarray) -> np.ndarray:
    """The values in the bits that the file declares, with an overlay in the lowest or highest unused bit."""
    low = kind.high + 1 - kind.stored
    bits = (values & ((1 << kind.stored) - 1)) << low
    if kind.overlay:
        position = kind.high + 1 if kind.high + 1 < kind.allocated else 0
        bits[3:9, 3:20] |= 1 << position
    unsigned = bits.astype(f"u{kind.allocated // 8}")
    return unsigned.view(f"i{kind.allocated // 8}") if kind.signed else unsigned


def _jpeg_2000(kind: Kind, pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels.view(f"u{kind.allocated // 8}"))
    picture.save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    return pydicom.encaps.encapsulate([buffer.getvalue()])


def _jpeg_lossless(kind: Kind, values: np.ndarray, pixels: np.ndarray) -> bytes:
    """The values by themselves, or whole pixels of as many bits as are allocated."""
    alone = kind.polarity == "MONOCHROME1" and not kind.overlay
    words, precision = (values, kind.stored) if alone or "near" in kind.syntax else (pixels, kind.allocated)
    if kind.syntax.startswith("JPEG-LS"):
        frame = jpeg_encoder.jpeg_ls(words, precision, NEAR if "near" in kind.syntax else 0)
    else:
        frame = jpeg_encoder.jpeg_lossless(words, precision, 1 if "SV1" in kind.syntax else 1 + kind.high % 7)
    return pydicom.encaps.encapsulate([frame], fragments_per_frame=1 + kind.signed)


def run_lengths(pixels: np.ndarray) -> bytes:
    """One frame of the transfer syntax RLE Lossless, in runs that repeat nothing (PS3.5, annex G)."""
    planes = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(*pixels.shape, -1)
    segments = []
    for plane in np.moveaxis(planes, -1, 0):
        parts = [row[start : start + 128] for row in plane for start in range(0, len(row), 128)]
        segment = b"".join(bytes([len(part) - 1]) + part.tobytes() for part in parts)
        segments.append(segment + bytes(len(segment) % 2))
    starts = np.cumsum([64] + [len(segment) for segment in segments])[:-1]
    header = np.array([len(segments), *starts], "<u4").tobytes().ljust(64, b"\0")
    return pydicom.encaps.encapsulate([header + b"".join(segments)])


def main() -> None:
    """Tries all combinations; prints how many were read and refused, and the largest error."""
    largest, worst, read = 0.0, None, 0
    refused: Counter[str] = Counter()
    for kind in kinds():
        try:
            error = largest_error(kind)
        except ValueError as reason:
            refused[str(reason)] += 1
            continue
        read += 1
        if error > largest:
            largest, worst = error, kind
    print(f"{read} read, {refused.total()} refused, largest error {largest:.3f} of 255: {worst}")
    for reason, count in refused.most_common():
        print(f"{count} refused: {reason}")


if __name__ == "__main__":
    main()
