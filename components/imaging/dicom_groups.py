"""Reads from a DICOM file to which coarse groups its patient and its image belong, for counts of groups.

Every group has one of a few names that are listed here, so that no text of a file is carried on.
"""

import re

import pydicom

from components.artifacts.names import AGE_BANDS
from components.imaging import dicom_tags as tags

TAGS = ("PatientSex", "PatientAge", "ViewPosition", "Manufacturer")

OTHER = "other"
"""The group of values that are not listed."""

AGE_ENDS = (1, 6, 18, 40, 60, 80, 1000)
"""For each of `names.AGE_BANDS` the first age (years) that is too high."""

_SEXES = {"F": "female", "M": "male", "O": OTHER}
_VIEWS = {
    **{"PA": "PA", "AP": "AP"},
    **dict.fromkeys(("LL", "RL", "LAT", "LATERAL", "LLD", "RLD"), "lateral"),
}
_MANUFACTURERS = (
    *("Agfa", "Canon", "Carestream", "DRGEM", "Fuji", "GE", "Hologic", "iRay", "Kodak", "Konica", "Mindray", "Oehm"),
    *("Philips", "Samsung", "Shimadzu", "Siemens", "Swissray", "Toshiba", "United Imaging", "Varian", "Vieworks"),
)
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}


def groups(dataset: pydicom.Dataset) -> dict[str, str]:
    """The groups of a file.

    Args:
        dataset: with the tags `TAGS` as far as the file has them.

    Returns:
        {"sex", "age", "view", "manufacturer": name of the group}, without those that the file does not tell.
    """
    sex, view = (tags.text(dataset, tag).upper() for tag in ("PatientSex", "ViewPosition"))
    found = {
        "sex": _SEXES.get(sex, OTHER) if sex else "",
        "age": _age(tags.text(dataset, "PatientAge")),
        "view": _VIEWS.get(view, OTHER) if view else "",
        "manufacturer": _manufacturer(tags.text(dataset, "Manufacturer")),
    }
    return {name: value for name, value in found.items() if value}


def _age(text: str) -> str:
    """The band of an age string (PS3.5, 6.2: three digits and D, W, M or Y); "" if it is not one."""
    match = _AGE.fullmatch(text.upper())
    if not match:
        return ""
    years = int(match.group(1)) / _PER_YEAR[match.group(2)]
    return next(name for end, name in zip(AGE_ENDS, AGE_BANDS, strict=True) if years < end)


def _manufacturer(text: str) -> str:
    """The listed manufacturer with which the text begins, or whose name is a word in it; `OTHER` for any other text."""
    words = re.findall(r"\w+", text.lower())
    for name in _MANUFACTURERS:
        first = name.lower().split()[0]
        if any(word == first or (len(first) > 3 and word.startswith(first)) for word in words):
            return name
    return OTHER if words else ""
