"""Lays a heat map over a radiograph."""

import matplotlib
import numpy as np
from PIL import Image
from scipy import ndimage

_HEAT = 0.5
"""Opacity of the heat map at its maximum."""


def overlay(thumbnail: np.ndarray, heat: np.ndarray, side: int) -> np.ndarray:
    """The image in grey with the heat map in colour, and a contour where the heat exceeds half of its maximum.

    The contour shows the region in black and white prints, too.

    Args:
        thumbnail: uint8 (T, T).
        heat: uint8 (G, G).
        side: height and width of the result (px).

    Returns:
        uint8 (side, side, 3).
    """
    grey = np.repeat(enlarged(thumbnail, side)[..., None], 3, axis=2).astype(float)
    smooth = enlarged(heat, side, Image.Resampling.BILINEAR) / 255
    colour = matplotlib.colormaps["inferno"](smooth)[..., :3] * 255
    share = _HEAT * smooth[..., None]
    mixed = (1 - share) * grey + share * colour
    warm = smooth > 0.5
    mixed[warm & ~ndimage.binary_erosion(warm)] = 255
    return mixed.round().astype(np.uint8)


def enlarged(image: np.ndarray, side: int, how: Image.Resampling = Image.Resampling.BICUBIC) -> np.ndarray:
    """Resizes a square image.

    Args:
        image: uint8 (S, S).
        side: height and width of the result (px).
        how: the filter.

    Returns:
        uint8 (side, side).
    """
    return np.asarray(Image.fromarray(image).resize((side, side), how))
