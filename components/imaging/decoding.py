"""Decodes image files to grey squares of uint8."""

import io

import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin

from components.artifacts.raw_dataset import BLANK

DESCRIPTION = "grey; the largest centred square, scaled with an antialiasing bicubic filter (aspect ratio kept)"
"""Description of the resizing for the report. MedMNIST crops the same way (Yang et al. 2023,
doi:10.1038/s41597-022-01721-8)."""

FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
OUTLIERS = 0.001
"""Largest share of pixels wider than 8 bits that may lie above white, such as markers and dead pixels."""


def decode(content: bytes, size: int) -> np.ndarray:
    """Decodes an image, makes it grey, crops the largest centred square and scales it.

    A centred crop keeps the proportions of the lungs. Unlike a border, it does not reveal the shape of the original to
    the networks, which differs between the classes of some datasets.

    Args:
        content: an image file.
        size: height and width of the result in px.

    Returns:
        uint8 (size, size).

    Raises:
        ValueError: the file cannot be decoded; the message says why.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # JPEGs are decoded at reduced scale if the result is much smaller (libjpeg's DCT scaling). The last row and
            # column may then be partly padding: 1001 px at a quarter are 250.25 px.
            reduced = image.draft("L", _draft_size(image.size, size))
            grey = _grey(image)
            width, height = reduced[1][2:] if reduced else grey.size
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            square = grey.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
            return np.asarray(ImageOps.exif_transpose(square))
    except Exception as error:  # on damaged files Pillow raises nearly anything
        raise ValueError(f"cannot be decoded: {str(error) or type(error).__name__}") from None


def check_contrast(image: np.ndarray) -> None:
    """Checks that an image has more than one grey value.

    Raises:
        ValueError: with the reason.
    """
    if image.min() == image.max():
        raise ValueError(BLANK)


def _draft_size(original: tuple[int, int], size: int) -> tuple[int, int]:
    """The smallest proportional size whose shorter side has at least 1.5 times the pixels of the result.

    For radiographs of about 1400 x 1000 px scaled to 96 px, the result differs from that of full decoding by 0.3 of 255
    grey levels on average (by 0.2 for 2 instead of 1.5 times the pixels, which takes an eighth longer).
    """
    factor = min(1.0, 1.5 * size / min(original))
    return round(original[0] * factor), round(original[1] * factor)


def _grey(image: ImageFile.ImageFile) -> Image.Image:
    """Converts any image to one 8-bit channel; transparent pixels become black."""
    if image.mode in ("F", "LAB"):
        kind = "floating-point numbers, whose range is not known" if image.mode == "F" else "CIELAB colours"
        raise ValueError(f"its pixels are {kind}")
    halved = image.mode in _COLOURS and ";16" in str(image.tile[:1])
    if image.mode.startswith("I") or _has_sign(image):
        grey = Image.fromarray(_wide(image))
    elif image.mode == "La":
        grey = image.getchannel(0)  # grey times opacity, as on a black background
    elif image.has_transparency_data:
        _spread_transparent_grey(image)
        picture = image.convert("RGBA")
        grey = Image.alpha_composite(Image.new("RGBA", image.size, "black"), picture).convert("L")
    else:
        grey = image.convert("L")
    if halved and np.quantile(np.asarray(grey), 1 - OUTLIERS) < 64:
        raise ValueError(
            "its colours of 16 bits use less than a quarter of the range, so the number of bits is unknown"
        )
    grey.info = image.info  # contains the orientation
    return grey


_COLOURS = ("LA", "La", "RGB", "RGBA", "CMYK")
"""Modes for which Pillow silently reduces 16 bits to 8, so that 12 bits stored in 16 become four."""


def _has_sign(image: Image.Image) -> bool:
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_SAMPLE_FORMAT, (1,))[0] == 2


def _spread_transparent_grey(image: ImageFile.ImageFile) -> None:
    """Scales the transparent grey value of a PNG of 2 or 4 bits as Pillow scales its pixels."""
    bits = {"L;2": 2, "L;4": 4}.get(str(image.tile[0].args)) if image.format == "PNG" and image.tile else None
    if bits and isinstance(image.info.get("transparency"), int):
        image.info["transparency"] = image.info["transparency"] * 255 // ((1 << bits) - 1)


def _wide(image: Image.Image) -> np.ndarray:
    """Converts integers of more than 8 bits or with a sign to uint8, according to the tags of the file."""
    values = np.asarray(image)
    transparent = image.info.get("transparency") if image.format == "PNG" else None
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        grey = _scaled(values)
        return grey if transparent is None else np.where(values == transparent, 0, grey).astype(np.uint8)
    bits = image.tag_v2.get(_BITS, (1,))[0]
    if _has_sign(image):
        values = values.view(np.int8) if bits == 8 else values
        grey = (
            _scaled_about_zero(values) if (values < 0).mean() > OUTLIERS else _scaled(values, 127 if bits == 8 else 0)
        )
    else:
        values = values.view(np.uint32) if bits == 32 else values
        grey = _scaled(values, 4095 if bits == 12 else 0)
    return 255 - grey if image.tag_v2.get(_PHOTOMETRIC) == 0 else grey


_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
"""Tags of TIFF."""


def _scaled(values: np.ndarray, white: int = 0) -> np.ndarray:
    """Scales integers to uint8, from 0 (black) to `white`, or for 0 to the top of the range that the image uses.

    Scanners store 10 or 12 bits in 16, so the data type does not determine white. White is the smallest of 255, 511,
    1023, ... that at most `OUTLIERS` of the pixels exceed; those are clipped. Thus an image of 12 bits gives the same
    result as that image stored in 8 or 16 bits.
    """
    if not white:
        white = 255
        while (values > white).mean() > OUTLIERS:
            white = 2 * white + 1
    return np.round(values.clip(0, white) * np.float32(255 / white)).astype(np.uint8)


def _scaled_about_zero(values: np.ndarray) -> np.ndarray:
    """Scales integers with negative values to uint8.

    The range is the smallest of -128 to 127, -256 to 255, ... that at most `OUTLIERS` of the pixels exceed.
    """
    half = 128
    while ((values < -half) | (values >= half)).mean() > OUTLIERS:
        half *= 2
    above = values.clip(-half, half - 1).astype(np.float64) + half
    return np.round(above * (255 / (2 * half - 1))).astype(np.uint8)
