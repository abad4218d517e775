"""Tags of a DICOM file as plain values. An optional tag that is empty or cannot be read counts as absent."""

from typing import Any

import numpy as np
import pydicom
from pydicom.multival import MultiValue


class UnusableError(Exception):
    """The file cannot be used, for the reason given."""


def value(dataset: pydicom.Dataset, tag: Any) -> Any:
    """What a tag holds; None where it is absent or cannot be read."""
    try:
        return dataset[tag].value
    except Exception:  # pydicom converts a value only now, and raises nearly anything
        return None


def numbers(dataset: pydicom.Dataset, tag: Any) -> list[float | None]:
    """The numbers that a tag holds, None for each that is empty or no number. NaN and infinity are numbers here."""
    held = value(dataset, tag)
    return [_number(one) for one in (held if isinstance(held, MultiValue | list | tuple) else [held])]


def number(dataset: pydicom.Dataset, tag: Any) -> float | None:
    """The first number that a tag holds, or None."""
    return next((one for one in numbers(dataset, tag) if one is not None), None)


def integer(dataset: pydicom.Dataset, tag: Any) -> int | None:
    """The first number that a tag holds, without its fraction, or None."""
    found = number(dataset, tag)
    return int(found) if found is not None and np.isfinite(found) else None


def text(dataset: pydicom.Dataset, tag: Any) -> str:
    """The text that a tag holds; "" where it is absent, empty or cannot be read."""
    held = value(dataset, tag)
    return "" if held is None else str(held).strip()


def item(dataset: pydicom.Dataset, tag: Any) -> pydicom.Dataset | None:
    """The first item of a sequence, or None."""
    held = value(dataset, tag)
    return held[0] if isinstance(held, pydicom.Sequence) and len(held) else None


def _number(held: Any) -> float | None:
    try:
        return float(held)
    except (TypeError, ValueError):
        return None
