"""Inspects image files: whether they are usable, their size, and the content to store in the dataset."""

import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, TiffImagePlugin

from components.imaging import dicom

FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MAX_PIXELS = 100_000_000
"""Largest number of pixels; no radiograph has more, and decoding could exceed the memory."""
MAX_BYTES = 500_000_000
"""Largest file size in bytes. The largest allowed image has 200 MB at 16 bits per pixel."""

_COMPRESSION, _PHOTOMETRIC, _INKS, _SUBSAMPLING, _BLACK_AND_WHITE = 259, 262, 332, 530, 532
"""Tags of TIFF."""


@dataclass(frozen=True)
class Picture:
    """An image to store in the dataset.

    Attributes:
        content: the original file, or a PNG converted from a DICOM file.
        width: in px.
        height: in px.
        patient_id: PatientID of a DICOM file, which must be pseudonymised before it is stored; "" if there is none.
        groups: coarse groups of patient and image of a DICOM file, see `dicom_groups.groups`.
    """

    content: bytes
    width: int
    height: int
    patient_id: str = ""
    groups: dict[str, str] = field(default_factory=dict)


def inspect(content: bytes) -> Picture:
    """Inspects a file by its header; decodes DICOM files.

    Args:
        content: of the file.

    Raises:
        ValueError: it is not a usable image; the message states the reason.
    """
    if not content:
        raise ValueError("the file is empty")
    if dicom.is_dicom(content):
        pixels, patient_id, groups = dicom.radiograph(content, MAX_PIXELS)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
        return Picture(buffer.getvalue(), pixels.shape[1], pixels.shape[0], patient_id, groups)
    return Picture(content, *_size(content))


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of an image, from its header."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            mode, kind = opened.mode, opened.format
            # A JPEG may contain further, small pictures (MPO); the first is the photograph.
            pages = getattr(opened, "n_frames", 1) if kind in ("TIFF", "PNG") else 1
            if isinstance(opened, TiffImagePlugin.TiffImageFile):
                opened.seek(0)
                tiff = dict(opened.tag_v2)
            else:
                tiff = {}
    except Image.DecompressionBombError:
        raise ValueError(f"the image has more than {MAX_PIXELS} pixels") from None
    except Exception:  # on damaged files Pillow raises nearly anything
        known = f"not an image in one of the formats {', '.join(FORMATS)}, DICOM"
        raise ValueError(_unknown_tiff(content) or known) from None
    if width * height > MAX_PIXELS:
        raise ValueError(f"the image has {width} x {height} pixels, more than {MAX_PIXELS}")
    if width * height == 0:
        raise ValueError("the image has no pixels")
    if pages > 1:
        raise ValueError(f"the file has {pages} pictures, and which one the label is for is not known")
    if mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is not known")
    if mode == "LAB":
        raise ValueError("its colours are CIELAB, which is not read here: convert it to grey or RGB")
    if tiff:
        _check_tiff(tiff)
    return width, height


def _check_tiff(tiff: dict[int, Any]) -> None:
    """Checks for TIFF tags that Pillow ignores.

    Raises:
        ValueError: the pixels would be wrong.
    """
    if _PHOTOMETRIC not in tiff:
        raise ValueError("its TIFF does not say whether 0 is black or white")
    # Only the JPEG decoder supports subsampled colours.
    if tiff[_PHOTOMETRIC] == 6 and tiff.get(_COMPRESSION) not in (6, 7) and tiff.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise ValueError("its TIFF colours are subsampled, which is not read here without JPEG compression")
    if tiff.get(_INKS, 1) != 1:
        raise ValueError("its TIFF colours are inks other than CMYK, which are not read here")
    if tuple(tiff.get(_BLACK_AND_WHITE, (0, 255)))[:2] != (0, 255):
        raise ValueError("its TIFF declares black and white at values other than 0 and 255, which is not read here")


def _unknown_tiff(content: bytes) -> str:
    """Describes the pixels of a TIFF that cannot be opened; "" if its tags cannot be read either."""
    try:
        stream = io.BytesIO(content)
        tiff = TiffImagePlugin.ImageFileDirectory_v2(stream.read(8))
        stream.seek(tiff.next)
        tiff.load(stream)
        kinds = {"bits": 258, "photometric interpretation": _PHOTOMETRIC, "sample format": 339, "compression": 259}
        said = [f"{name} {_numbers(tiff[tag])}" for name, tag in kinds.items() if tag in tiff]
    except Exception:  # on damaged files Pillow raises nearly anything
        return ""
    return f"its TIFF pixels are of a kind that is not read here ({', '.join(said)})" if said else ""


def _numbers(value: Any) -> str:
    """The numbers of a tag, or "unknown" if it contains text or too many numbers."""
    several = value if isinstance(value, tuple) else (value,)
    short = len(several) <= 8 and all(isinstance(number, int) for number in several)
    return " ".join(map(str, several)) if short else "unknown"
