import numpy as np
import pytest

from components.evaluate.robustness import changes

NAMES = (
    *("gamma 0.7", "gamma 1.4", "contrast 0.8", "contrast 1.2", "shifted right 5%", "shifted down 5%"),
    *("zoomed in 10%", "zoomed out 10%"),
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, size=shape, dtype=np.uint8)


def change(name: str, images: np.ndarray) -> np.ndarray:
    return changes()[name](images)


def test_the_changes_have_the_names_that_reports_show():
    assert tuple(changes()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_change_gives_new_images_of_the_same_kind(name):
    images = noise(3, 20, 24)
    before = images.copy()
    changed = change(name, images)
    assert (changed.dtype, changed.shape) == (np.uint8, images.shape)
    assert (images == before).all()
    assert (changed != images).any()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_changed_without_regard_to_the_others(name):
    images = noise(3, 20, 20) // np.array([1, 2, 4], np.uint8)[:, None, None]
    alone = np.concatenate([change(name, images[number : number + 1]) for number in range(3)])
    assert (change(name, images) == alone).all()


def test_a_shift_moves_by_a_twentieth_and_leaves_black_behind():
    images = noise(2, 20, 40)
    right, down = change("shifted right 5%", images), change("shifted down 5%", images)
    assert (right[:, :, 2:] == images[:, :, :-2]).all()
    assert not right[:, :, :2].any()
    assert (down[:, 1:] == images[:, :-1]).all()
    assert not down[:, :1].any()


def test_a_shift_by_half_a_pixel_blends_neighbours():
    image = np.zeros((1, 10, 10), np.uint8)
    image[0, 4, 4] = 100
    right, down = change("shifted right 5%", image)[0], change("shifted down 5%", image)[0]
    assert right[4].tolist() == down[:, 4].tolist() == [0, 0, 0, 0, 50, 50, 0, 0, 0, 0]


@pytest.mark.parametrize(("name", "factor"), [("zoomed in 10%", 1.1), ("zoomed out 10%", 0.9)])
def test_a_zoom_magnifies_around_the_centre(name, factor):
    image = np.zeros((1, 101, 81), np.uint8)
    image[0, 30:71, 20:61] = 200
    rows, columns = np.indices(image.shape[1:])
    before, after = (picture[0].astype(float) for picture in (image, change(name, image)))
    assert after.sum() == pytest.approx(before.sum() * factor**2, rel=0.01)
    assert ((rows * after).sum() / after.sum(), (columns * after).sum() / after.sum()) == pytest.approx((50, 40))
    width = after[50].sum() / 200
    assert width == pytest.approx(41 * factor, rel=0.01)


def test_what_comes_in_from_outside_is_black():
    white = np.full((1, 40, 40), 255, np.uint8)
    small = change("zoomed out 10%", white)[0]
    assert not small[[0, -1]].any()
    assert not small[:, [0, -1]].any()
    assert (small[3:-3, 3:-3] == 255).all()
    assert (change("zoomed in 10%", white) == 255).all()


@pytest.mark.parametrize(("name", "tone"), [("gamma 0.7", 157), ("gamma 1.4", 97)])
def test_gamma_bends_the_tones_between_black_and_white(name, tone):
    tones = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    changed = change(name, tones).ravel()
    assert (changed[0], changed[128], changed[255]) == (0, tone, 255)
    exponent = float(name.split()[1])
    assert (np.abs(changed - 255 * (np.arange(256) / 255) ** exponent) <= 0.5 + 1e-9).all()


@pytest.mark.parametrize(
    ("name", "tones", "expected"),
    [
        ("contrast 0.8", [100, 200], [110, 190]),
        ("contrast 1.2", [100, 200], [90, 210]),
        ("contrast 1.2", [0, 255], [0, 255]),
        ("contrast 0.8", [0, 3], [0, 3]),
        ("contrast 0.8", [10, 13], [10, 13]),
        ("contrast 1.2", [7, 7], [7, 7]),
    ],
)
def test_contrast_stretches_the_tones_about_their_mean(name, tones, expected):
    image = np.array(tones, np.uint8).reshape(1, 1, 2)
    assert change(name, image).ravel().tolist() == expected
