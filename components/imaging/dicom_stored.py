"""Stored values of a grey DICOM image, which are checked against their declaration in the file."""

from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom import uid
from pydicom.pixels import pixel_array
from pydicom.pixels.utils import get_j2k_parameters

from components.imaging import dicom_tags as tags
from components.imaging import jpeg_lossless
from components.imaging.dicom_tags import UnusableError

OVERLAY_POSITIONS = [0x60000102 + (group << 16) for group in range(0, 0x20, 2)]
"""Tags for the unused bit of the pixels that contains an overlay (a drawing on the image)."""

_FEW_VALUES = 64
"""Images with fewer grey values may be drawings, in which jumps from black to white are normal."""
_RARE = 0.001
"""Largest fraction of neighbouring pixels with a jump across the range that is normal."""


@dataclass(frozen=True)
class Stored:
    """Stored values of an image.

    Attributes:
        values: integers (height, width), with or without sign, without overlays and other unused bits.
        bits: number of bits of the values.
        padding: bool (height, width), true for pixels that the file declares as padding.
    """

    values: np.ndarray
    bits: int
    padding: np.ndarray

    @property
    def lowest(self) -> int:
        """The lowest value that can be represented."""
        return -(1 << (self.bits - 1)) if self.values.dtype.kind == "i" else 0


def check_declared(dataset: pydicom.Dataset) -> None:
    """Checks that the tags that describe the pixels agree with each other and with the length of the pixels.

    Raises:
        UnusableError: they do not.
    """
    allocated, stored, high = layout(dataset)
    samples = int(dataset.SamplesPerPixel)
    if not 1 <= stored <= high + 1 <= allocated or (samples == 3 and stored != allocated):
        raise UnusableError(f"it declares {stored} bits up to bit {high} in DICOM pixels of {allocated} bits")
    if int(dataset.PixelRepresentation) not in (0, 1):
        raise UnusableError("it does not say whether its DICOM pixels have a sign")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        return
    rows, columns, each = int(dataset.Rows), int(dataset.Columns), samples * allocated // 8
    length = rows * columns * (2 if str(dataset.PhotometricInterpretation) == "YBR_FULL_422" else each)
    # The standard adds one byte to an odd length; some writers fill up a little more, but less than a row or column.
    if len(dataset.PixelData) - length >= max(2, min(rows, columns) * each):
        raise UnusableError(
            f"the DICOM file has {len(dataset.PixelData)} bytes of pixels where the size that it declares has {length}"
        )


def layout(dataset: pydicom.Dataset) -> tuple[int, int, int]:
    """BitsAllocated, BitsStored and HighBit; the latter two follow from the first where they are absent."""
    allocated = int(dataset.BitsAllocated)
    stored = tags.integer(dataset, "BitsStored") or allocated
    high = tags.integer(dataset, "HighBit")
    return allocated, stored, stored - 1 if high is None else high


def read(dataset: pydicom.Dataset) -> Stored:
    """Decodes a grey image, and takes of each pixel the bits that the file declares.

    Raises:
        UnusableError: the pixels contradict what the file says of them.
    """
    allocated, bits, high = layout(dataset)
    signed = int(dataset.PixelRepresentation) == 1
    if dataset.file_meta.TransferSyntaxUID in jpeg_lossless.SYNTAXES:
        decoded = jpeg_lossless.decode(_frame(dataset))
    else:
        decoded = pixel_array(dataset, raw=True, correct_unused_bits=False, allow_excess_frames=False)
    full = np.ascontiguousarray(decoded, dtype=np.dtype(f"{'i' if signed else 'u'}{allocated // 8}"))
    low = high + 1 - bits
    if low and _precision(dataset) <= bits:
        # A compressed image of no more bits than are stored holds the values themselves (PS3.5, 8.2.4).
        low = 0
    if not low and dataset.file_meta.TransferSyntaxUID == uid.JPEGLSNearLossless:
        full = _without_overshoot(full, bits, jpeg_lossless.header(_frame(dataset)))
    top = 8 * full.dtype.itemsize - bits
    values = full << (top - low) if low < top else full
    values = values >> top  # a shift to the right repeats the sign
    padding = _padding(dataset, full, values, bits)
    _check_unused_bits(dataset, full, values, padding, low, bits)
    _check_sign(values, padding, bits)
    return Stored(values, bits, padding)


def _without_overshoot(full: np.ndarray, bits: int, header: jpeg_lossless.Header) -> np.ndarray:
    """The values without the errors of a lossy compression that lead out of the stored bits: 4096 is white, as 4095."""
    if header.precision <= bits:
        return full  # then there are no further bits
    lowest = -(1 << (bits - 1)) if full.dtype.kind == "i" else 0
    near = np.clip(full, lowest, lowest + (1 << bits) - 1)
    return np.where(np.abs(full.astype(np.int64) - near) <= header.near, near, full)


def _precision(dataset: pydicom.Dataset) -> int:
    """Of how many bits the compressed image says that it is; 32 where the pixels lie as declared."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in jpeg_lossless.SYNTAXES:
        return jpeg_lossless.header(_frame(dataset)).precision
    if syntax in (uid.JPEG2000, uid.JPEG2000Lossless):
        return int(get_j2k_parameters(_frame(dataset)).get("precision", 32))
    return 8 if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit) else 32


def _frame(dataset: pydicom.Dataset) -> bytes:
    """The compressed image, of all its fragments."""
    return pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)


def _padding(dataset: pydicom.Dataset, full: np.ndarray, values: np.ndarray, bits: int) -> np.ndarray:
    """Where the padding is: one value, or the range up to PixelPaddingRangeLimit, in whichever order."""
    ends = [tags.integer(dataset, tag) for tag in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if ends[0] is None:
        return np.zeros(full.shape, bool)
    # Files give -2000 with a sign or as 63536; it is the bits that count.
    width = 8 * full.dtype.itemsize
    found = [end % (1 << width) for end in ends if end is not None]
    if full.dtype.kind == "i":
        found = [end - (1 << width) if end >> (width - 1) else end for end in found]
    # A padding value beyond the bits that are stored can only be found in the whole pixel, before they are cut.
    lowest = -(1 << (bits - 1)) if full.dtype.kind == "i" else 0
    where = values if all(0 <= end - lowest < 1 << bits for end in found) else full
    return (where >= min(found)) & (where <= max(found))


def _check_unused_bits(
    dataset: pydicom.Dataset, full: np.ndarray, values: np.ndarray, padding: np.ndarray, low: int, bits: int
) -> None:
    """Refuses pixels whose unused bits hold more than a sign or an overlay: then other bits are used than declared."""
    width = 8 * full.dtype.itemsize
    if bits == width:
        return
    unsigned = full.view(f"u{full.dtype.itemsize}")
    used = ((1 << bits) - 1) << low
    positions = [tags.integer(dataset, tag) for tag in OVERLAY_POSITIONS]
    for position in positions:
        used |= 1 << position if position is not None and 0 <= position < width else 0
    above = ((1 << width) - 1) & ~((1 << (low + bits)) - 1)
    outside = unsigned & np.array(((1 << width) - 1) & ~used, unsigned.dtype)
    sign = (values < 0) & ((unsigned & np.array(above, unsigned.dtype)) == above)
    outside[padding | sign] = 0
    planes = int(np.bitwise_or.reduce(outside, axis=None))
    # One further bit can be an overlay that the file does not mention; the standard has it ignored.
    if planes.bit_count() > 1 or (planes and low == 0 and _continues(outside != 0, full, values)):
        raise UnusableError(f"its DICOM pixels use other bits than the {bits} that it declares")


def _continues(marked: np.ndarray, full: np.ndarray, values: np.ndarray) -> bool:
    """Whether a bit belongs to the image: where it changes, the image is smooth with it and jumps without it."""
    edges = marked[:, 1:] != marked[:, :-1]
    if not edges.any():
        return False
    with_it, without = (
        np.median(np.abs(part[:, 1:][edges].astype(np.int64) - part[:, :-1][edges])) for part in (full, values)
    )
    return bool(with_it < without)


def _check_sign(values: np.ndarray, padding: np.ndarray, bits: int) -> None:
    """Refuses pixels that jump from end to end of the range, but would be smooth with (or without) a sign."""
    if not 8 < bits <= 16:
        return  # 8 bits without sign are never doubtful, and more than 16 are not met
    span = 1 << bits
    jumps = []
    for sign in (False, True):
        of_kind = (values.astype(np.int32) + (span // 2 if sign else 0)) % span
        far = np.abs(np.diff(of_kind, axis=1)) > span // 2
        jumps.append(int(np.count_nonzero(far & ~padding[:, 1:] & ~padding[:, :-1])))
    declared, other = jumps[::-1] if values.dtype.kind == "i" else jumps
    if declared > _RARE * values.size and other * 10 < declared and np.unique(values).size >= _FEW_VALUES:
        kinds = ("without", "with") if values.dtype.kind == "i" else ("with", "without")
        raise UnusableError(f"its DICOM pixels are numbers {kinds[0]} a sign, but it declares them {kinds[1]} one")
