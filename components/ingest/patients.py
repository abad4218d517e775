"""Who an image is of: read from its file name, or from a DICOM file and hashed."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

_PATTERNS = (
    re.compile(r"(person\d+)_", re.IGNORECASE),
    re.compile(r"((?:NORMAL2-)?IM-\d+)-", re.IGNORECASE),
)
KEY_VARIABLE = "PNEUMONIA_BENCHMARK_PATIENT_KEY"


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


def pseudonym(patient_id: str, key: bytes) -> str:
    """A name for a patient that does not give the patient away, and is the same for all of the patient's images.

    It is an HMAC (RFC 2104) with SHA-256, cut to 64 bits. A plain hash of a hospital's short numbers could be turned
    back by hashing all of them.

    Args:
        patient_id: as the DICOM file has it.
        key: whoever has it can try numbers.
    """
    return f"patient-{hmac.digest(key, patient_id.encode('utf-8', 'surrogatepass'), 'sha256')[:8].hex()}"


def key_of(contents: Iterable[bytes]) -> bytes:
    """The key for a dataset that is given none: made from its own files, so equal for all who have them all.

    Args:
        contents: `fingerprint_for_key` of each DICOM file, in any order.
    """
    return hashlib.sha256(b"".join(sorted(contents))).digest()


def fingerprint_for_key(content: bytes) -> bytes:
    """A digest of a file that is not its SHA-256, which stands in the manifest for all to read."""
    return hashlib.sha256(b"patient key" + content).digest()
