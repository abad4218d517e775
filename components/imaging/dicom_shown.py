"""Converts the stored values of a grey DICOM image to displayed grey values (DICOM PS3.3, C.11.1 and C.11.2)."""

import sys
from collections.abc import Callable

import numpy as np
import pydicom

from components.artifacts.raw_dataset import BLANK
from components.imaging import dicom_tags as tags
from components.imaging.dicom_stored import Stored
from components.imaging.dicom_tags import UnusableError

Step = Callable[[np.ndarray], np.ndarray]
"""A step of the conversion, elementwise."""

PERCENTILES = (0.5, 99.5)
"""Percentiles that become black and white if a file has no window; collimator edges and markers have fewer pixels."""


def show(stored: Stored, dataset: pydicom.Dataset) -> np.ndarray:
    """Converts stored values to uint8 (height, width), from black to white.

    Raises:
        UnusableError: the file's rescaling, tables or window cannot be used, or nothing can be seen with them.
    """
    if stored.padding.all():
        raise UnusableError("the DICOM image is nothing but padding")
    if stored.bits > 16:
        present, counts = np.unique(stored.values[~stored.padding], return_counts=True)
        modality = _modality(dataset, present)
        shown = _grey(modality(stored.values.astype(np.float64)), modality(present.astype(np.float64)), counts, dataset)
    else:
        # Each possible value is converted once, in full precision, and looked up for every pixel.
        codes = np.arange(stored.lowest, stored.lowest + (1 << stored.bits))
        index = stored.values.astype(np.int32) - stored.lowest
        counts = np.bincount(index[~stored.padding], minlength=codes.size)
        values = _modality(dataset, codes[counts > 0])(codes.astype(np.float64))
        shown = _grey(values, values[counts > 0], counts[counts > 0], dataset)[index]
    image = shown[~stored.padding]
    if image.min() == image.max():
        raise UnusableError(BLANK)
    shown[stored.padding] = 0
    return shown


def _modality(dataset: pydicom.Dataset, present: np.ndarray) -> Step:
    """The look-up table or rescaling of the modality."""
    if table := _table(tags.item(dataset, "ModalityLUTSequence"), dataset, present):
        return table[0]
    slope, intercept = (tags.number(dataset, tag) for tag in ("RescaleSlope", "RescaleIntercept"))
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise UnusableError("its DICOM rescaling or window is not a number")
    return lambda values: values * slope + intercept


def _grey(values: np.ndarray, present: np.ndarray, counts: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Grey values (uint8) of modality values, by the VOI table, the window, or percentiles of the present values."""
    if table := _table(tags.item(dataset, "VOILUTSequence"), dataset, present):
        look_up, white = table
        share = look_up(values) / white
    elif window := _first_window(dataset):
        share = window(values)
    else:
        low, high = _ends(present, counts)
        share = (values - low) / (high - low)
    if not np.isfinite(share).all():
        raise UnusableError("its DICOM rescaling or window is not a number")
    share = np.clip(share, 0, 1)
    if tags.text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        share = 1 - share
    return np.round(255 * share).astype(np.uint8)


def _ends(present: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The percentiles that become black and white, or the lowest and highest value if they are equal."""
    order = np.argsort(present)
    present, last = present[order], np.cumsum(counts[order])
    places = np.array(PERCENTILES) / 100 * (last[-1] - 1)
    below, above = (present[np.searchsorted(last, place, "right")] for place in (np.floor(places), np.ceil(places)))
    low, high = below + (above - below) * (places % 1)
    if low == high:
        low, high = present[0], present[-1]
    if low == high:
        raise UnusableError(BLANK)
    return float(low), float(high)


def _first_window(dataset: pydicom.Dataset) -> Step | None:
    """The first usable VOI window; a file may have several."""
    function = tags.text(dataset, "VOILUTFunction").upper() or "LINEAR"
    narrowest = 1 if function == "LINEAR" else sys.float_info.min
    for centre, width in zip(tags.numbers(dataset, "WindowCenter"), tags.numbers(dataset, "WindowWidth"), strict=False):
        if centre is not None and width is not None and np.isfinite([centre, width]).all() and width >= narrowest:
            return _window(centre, width, function)
    return None


def _window(centre: float, width: float, function: str) -> Step:
    """Maps values to 0 (black) to 1 (white) across a window (C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID":
        return lambda values: 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -50, 50)))
    if function == "LINEAR_EXACT":
        return lambda values: (values - centre) / width + 0.5
    if function != "LINEAR":
        raise UnusableError("its DICOM window has a function other than LINEAR, LINEAR_EXACT and SIGMOID")
    if width == 1:
        return lambda values: (values > centre - 0.5).astype(np.float64)
    return lambda values: (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5


def _table(item: pydicom.Dataset | None, dataset: pydicom.Dataset, present: np.ndarray) -> tuple[Step, float] | None:
    """A look-up table and the entry that is white, or None without a table.

    Raises:
        UnusableError: the table has another number of entries than it declares.
    """
    if item is None or None in (described := tags.numbers(item, "LUTDescriptor")) or len(described) != 3:
        return None
    count, first, depth = (int(part) for part in described if part is not None)
    data = tags.value(item, "LUTData")
    if data is None or (hasattr(data, "__len__") and not len(data)):
        return None
    entries = _entries(data, count % 65536 or 65536, depth, dataset)
    # The first mapped value is signed if the pixels are, but after a rescaling that may be wrong.
    for other in (first - 65536, first + 65536):
        outside = present.max() < first or present.min() >= first + entries.size
        if -32768 <= other < 65536 and outside and first <= 65535 and other <= present.max() < other + entries.size:
            first = other
            break
    return (lambda values: entries[np.clip(np.rint(values) - first, 0, entries.size - 1).astype(np.int64)]), _white(
        int(entries.max()), depth
    )


def _entries(data: bytes | int | list[int], count: int, depth: int, dataset: pydicom.Dataset) -> np.ndarray:
    """The entries of a table, which are words, or bytes for tables of 8 bits."""
    little = dataset.file_meta.TransferSyntaxUID.is_little_endian
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little else ">u2")
    else:
        words = (np.atleast_1d(np.asarray(data, np.int64)) % 65536).astype(np.uint16)
    if words.size == count:
        return words.astype(np.float64)
    if depth == 8 and words.size == (count + 1) // 2:
        return words.astype("<u2").view(np.uint8)[:count].astype(np.float64)
    raise UnusableError(f"its DICOM table declares {count} entries and has {words.size}")


def _white(largest: int, depth: int) -> float:
    """The entry that is white.

    Files are known that declare 16 bits of which their entries use 12. A table may well end below white, so the
    declaration is believed unless the entries need more bits, use all values of fewer bits, or at most a quarter.
    """
    used = (1 << largest.bit_length()) - 1
    declared = (1 << depth) - 1 if 1 <= depth <= 16 else 0
    return float(max(used if used > declared or largest == used or 4 * used <= declared else declared, 1))
