"""What a file is, by its content: whether it can be used, how large it is, and what of it goes into the dataset."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image, TiffImagePlugin

from components.imaging import dicom

FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MAX_PIXELS = 100_000_000
"""Larger images are refused: no radiograph has so many, and decoding one would fill the memory."""
MAX_BYTES = 500_000_000
"""Larger files are refused unread. The largest image allowed has 200 MB at 16 bits a pixel."""

_COMPRESSION, _PHOTOMETRIC, _INKS, _SUBSAMPLING, _BLACK_AND_WHITE = 259, 262, 332, 530, 532
"""Tags of TIFF."""


@dataclass(frozen=True)
class Picture:
    """What of a file goes into the dataset.

    Attributes:
        content: the image file to store: the file as it came, or a PNG made of a DICOM file.
        width: in px.
        height: in px.
        patient_id: the DICOM file's PatientID, to be hashed and then forgotten; empty where there is none.
    """

    content: bytes
    width: int
    height: int
    patient_id: str = ""


def inspect(content: bytes) -> Picture:
    """Looks at a file: at the header alone, unless it is DICOM, which is decoded.

    Args:
        content: of the file.

    Raises:
        ValueError: it is not an image that can be used; the message says why.
    """
    if not content:
        raise ValueError("the file is empty")
    if dicom.is_dicom(content):
        pixels, patient_id = dicom.read(content, MAX_PIXELS)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
        return Picture(buffer.getvalue(), pixels.shape[1], pixels.shape[0], patient_id)
    return Picture(content, *_size(content))


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of an image, from its header."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
            mode, kind = opened.mode, opened.format
            # A photograph's JPEG may carry small further pictures (MPO); the first is the photograph.
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
    """Refuses a TIFF whose tags declare what Pillow opens without regard to them."""
    if _PHOTOMETRIC not in tiff:
        raise ValueError("its TIFF does not say whether 0 is black or white")
    # Colours with fewer values than pixels are unpacked by the JPEG decoder alone.
    if tiff[_PHOTOMETRIC] == 6 and tiff.get(_COMPRESSION) not in (6, 7) and tiff.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise ValueError("its TIFF colours are subsampled, which is not read here without JPEG compression")
    if tiff.get(_INKS, 1) != 1:
        raise ValueError("its TIFF colours are inks other than CMYK, which are not read here")
    if tuple(tiff.get(_BLACK_AND_WHITE, (0, 255)))[:2] != (0, 255):
        raise ValueError("its TIFF declares black and white at values other than 0 and 255, which is not read here")


def _unknown_tiff(content: bytes) -> str:
    """Says of what kind the pixels of a TIFF are that cannot be opened; "" if its tags cannot be read either."""
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
    """A tag's numbers, or "unknown" where it holds text or too many."""
    several = value if isinstance(value, tuple) else (value,)
    short = len(several) <= 8 and all(isinstance(number, int) for number in several)
    return " ".join(map(str, several)) if short else "unknown"
