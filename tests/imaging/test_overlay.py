"""Heat maps laid over images."""

import numpy as np

from components.imaging.overlay import overlay


def test_no_heat_leaves_the_image_grey():
    pixels = overlay(np.full((16, 16), 90, np.uint8), np.zeros((3, 3), np.uint8), 120)
    assert pixels.shape == (120, 120, 3)
    assert (pixels == 90).all()


def test_heat_is_coloured_and_lined_where_it_is_and_not_elsewhere():
    heat = np.zeros((4, 4), np.uint8)
    heat[0, 0] = 255
    pixels = overlay(np.full((16, 16), 90, np.uint8), heat, 120).astype(int)
    assert np.ptp(pixels[5, 5]) > 30
    assert (pixels[-20:, -20:] == 90).all()
    assert (pixels == 255).all(axis=2).any()
