"""Who an image is of, read from its file name."""

import re
from pathlib import PurePosixPath

_PATTERNS = (
    re.compile(r"(person\d+)_", re.IGNORECASE),
    re.compile(r"((?:NORMAL2-)?IM-\d+)-", re.IGNORECASE),
)


def patient_of(image: str) -> tuple[str, bool]:
    """Reads the patient from a name in Kaggle's manner.

    `person12_bacteria_45.jpeg` is of `person12`; `IM-0115-0001.jpeg` of `IM-0115`; `NORMAL2-IM-0115-0001.jpeg` of
    `NORMAL2-IM-0115`.

    Args:
        image: path of the image in the dataset.

    Returns:
        The patient, and whether the name told. Where it did not, the image itself stands for its patient.
    """
    name = PurePosixPath(image).name
    for pattern in _PATTERNS:
        if found := pattern.match(name):
            return found.group(1), True
    return image, False
