import numpy as np
import pytest

from components.artifacts.image_table import STATISTICS
from components.preprocess.pixels import statistics


def test_statistics_are_the_textbook_ones_of_every_image():
    images = np.random.default_rng(0).integers(0, 256, (5, 7, 9), np.uint8)
    found = statistics(images)
    assert list(found) == list(STATISTICS)
    for image, brightness, contrast, sharpness in zip(images / 255, *found.values(), strict=True):
        steps = [abs(image[1:] - image[:-1]).ravel(), abs(image[:, 1:] - image[:, :-1]).ravel()]
        assert brightness == pytest.approx(image.mean())
        assert contrast == pytest.approx(image.std())
        assert sharpness == pytest.approx(np.concatenate(steps).mean() / image.std())


def test_brighter_more_contrast_and_blurred_images_are_told_apart():
    image = np.random.default_rng(1).integers(80, 120, (1, 32, 32), np.uint8)
    plain = statistics(image)
    brighter, stretched = statistics(image + np.uint8(50)), statistics(2 * image)
    assert brighter["brightness"] == pytest.approx(plain["brightness"] + 50 / 255)
    assert brighter["contrast"] == pytest.approx(plain["contrast"])
    assert stretched["contrast"] == pytest.approx(2 * plain["contrast"])
    assert stretched["sharpness"] == pytest.approx(plain["sharpness"])
    blurred = ((image.astype(int) + np.roll(image, 1, axis=1) + np.roll(image, 1, axis=2)) // 3).astype(np.uint8)
    assert statistics(blurred)["sharpness"] < plain["sharpness"]


def test_an_image_of_one_grey_value_has_no_contrast_and_no_sharpness():
    found = statistics(np.full((1, 4, 4), 255, np.uint8))
    assert {name: value.tolist() for name, value in found.items()} == {
        "brightness": [1.0],
        "contrast": [0.0],
        "sharpness": [0.0],
    }


def test_large_images_do_not_overflow():
    found = statistics(np.full((1, 1200, 1200), 255, np.uint8))
    assert found["brightness"].tolist() == [1.0]
