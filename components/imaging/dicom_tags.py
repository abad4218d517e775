"""Values of DICOM tags. Optional tags that are empty or unreadable are treated as absent."""

from typing import Any

import numpy as np
import pydicom
from pydicom.multival import MultiValue


class UnusableError(Exception):
    """The file cannot be used; the message states the reason."""


def value(dataset: pydicom.Dataset, tag: Any) -> Any:
    """The value of a tag; None if it is absent or unreadable."""
    try:
        return dataset[tag].value
    except Exception:  # pydicom converts values lazily, and may raise any exception
        return None


def numbers(dataset: pydicom.Dataset, tag: Any) -> list[float | None]:
    """The numbers of a tag, None for each that is empty or not a number; NaN and infinity are kept."""
    held = value(dataset, tag)
    return [_number(one) for one in (held if isinstance(held, MultiValue | list | tuple) else [held])]


def number(dataset: pydicom.Dataset, tag: Any) -> float | None:
    """The first number of a tag, or None."""
    return next((one for one in numbers(dataset, tag) if one is not None), None)


def integer(dataset: pydicom.Dataset, tag: Any) -> int | None:
    """The first number of a tag, truncated to an integer, or None."""
    found = number(dataset, tag)
    return int(found) if found is not None and np.isfinite(found) else None


def text(dataset: pydicom.Dataset, tag: Any) -> str:
    """The text of a tag; "" if it is absent, empty or unreadable."""
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
