"""Patients of images: read from file names, or from DICOM files and tables and then pseudonymised."""

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
    """Reads the patient from a file name of Kaggle's dataset.

    `person12_bacteria_45.jpeg` has the patient `person12`, `IM-0115-0001.jpeg` has `IM-0115`, and
    `NORMAL2-IM-0115-0001.jpeg` has `NORMAL2-IM-0115`.

    Args:
        image: path of the image in the dataset.

    Returns:
        The patient, and whether it is known. If not, the name of the image is returned as its patient.
    """
    name = PurePosixPath(image).name
    for pattern in _PATTERNS:
        if found := pattern.match(name):
            return found.group(1), True
    return image, False


def pseudonym(patient_id: str, key: bytes) -> str:
    """A pseudonym of a patient, the same for all images of the patient.

    It is an HMAC (RFC 2104) with SHA-256, truncated to 64 bits. A plain hash of the short numbers that hospitals use
    could be reversed by hashing all of them.

    Args:
        patient_id: as given in the DICOM file or table.
        key: secret key; with it, pseudonyms can be reversed by trying all numbers.
    """
    return f"patient-{hmac.digest(key, patient_id.encode('utf-8', 'surrogatepass'), 'sha256')[:8].hex()}"


def key_of(contents: Iterable[bytes]) -> bytes:
    """The default key of a dataset: derived from its files, so that only those who have all files can compute it.

    Args:
        contents: `fingerprint_for_key` of each file with a patient id, in any order.
    """
    return hashlib.sha256(b"".join(sorted(contents))).digest()


def fingerprint_for_key(content: bytes) -> bytes:
    """A digest of a file other than its SHA-256, which is public in the manifest."""
    return hashlib.sha256(b"patient key" + content).digest()
