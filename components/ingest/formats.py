"""What a file is, by its content: whether it can be used, how large it is, and what of it goes into the dataset."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from components.ingest import dicom

FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MAX_PIXELS = 100_000_000
"""Larger images are refused: no radiograph has so many, and decoding one would fill the memory."""
MAX_BYTES = 500_000_000
"""Larger files are refused unread. The largest image allowed has 200 MB at 16 bits a pixel."""

# Pillow's warnings name no file, and add nothing to the checks made here.
warnings.filterwarnings("ignore", module="PIL")


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
    except Image.DecompressionBombError:
        raise ValueError(f"the image has more than {MAX_PIXELS} pixels") from None
    except Exception:  # on damaged files Pillow raises nearly anything
        raise ValueError(f"not an image in one of the formats {', '.join(FORMATS)}, DICOM") from None
    if width * height > MAX_PIXELS:
        raise ValueError(f"the image has {width} x {height} pixels, more than {MAX_PIXELS}")
    if width * height == 0:
        raise ValueError("the image has no pixels")
    if pages > 1:
        raise ValueError(f"the file has {pages} pictures, and which one the label is for is not known")
    if mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose range is not known")
    return width, height
