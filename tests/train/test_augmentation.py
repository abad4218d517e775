"""What augmentation may change, and what not."""

import numpy as np
import pytest

from components.train import augmentation, device
from components.train.augmentation import RadiographAugmentation
from components.train.recipe import Recipe

STILL = {
    "rotation_degrees": 0.0,
    "shift": 0.0,
    "zoom": 0.0,
    "aspect": 0.0,
    "gamma": 0.0,
    "contrast": 0.0,
    "brightness": 0.0,
    "tone_curve": 0.0,
    "bias_field": 0.0,
    "sharpness": 0.0,
}


def layer(seed=1, **changes):
    recipe = Recipe(epochs=1, batch_size=1, learning_rate=0.1, patience=0, **(STILL | changes))
    return RadiographAugmentation(recipe, seed, processing=True)


def pictures(count=64, size=33):
    """A dark field with a bright dot in the middle."""
    images = np.full((count, size, size, 1), 50, np.uint8)
    images[:, 14:19, 14:19] = 200
    return images


def centres(images):
    weights = np.asarray(images)[..., 0] - np.asarray(images)[..., 0].min(axis=(1, 2), keepdims=True)
    weights = np.where(weights > 60, weights, 0)
    axis = np.arange(weights.shape[1])
    total = weights.sum(axis=(1, 2))
    return np.stack([(weights.sum(axis=k) * axis).sum(axis=1) / total for k in (2, 1)], axis=1)


def test_nothing_changes_outside_training():
    images = pictures(2)
    augment = RadiographAugmentation(Recipe(epochs=1, batch_size=1, learning_rate=0.1, patience=0), 1)
    assert np.array_equal(np.asarray(augment(images)), images.astype(np.float32))


def test_with_all_limits_at_zero_training_images_stay_as_they_are():
    images = pictures(4)
    assert np.allclose(np.asarray(layer()(images, training=True)), images, atol=0.5)


def test_shifts_reach_their_limit_in_every_direction_and_no_further():
    moved = centres(layer(shift=0.2)(pictures(200), training=True)) - 16
    assert np.abs(moved).max() <= 0.2 * 33 + 0.6
    assert (moved.max(axis=0) > 4).all()
    assert (moved.min(axis=0) < -4).all()


@pytest.mark.parametrize("change", [{"rotation_degrees": 15.0}, {"zoom": 0.2}, {"aspect": 0.2}])
def test_rotation_and_zoom_keep_the_centre(change):
    images = np.asarray(layer(**change)(pictures(), training=True))
    assert np.abs(centres(images) - 16).max() < 0.6
    assert not np.allclose(images, pictures())


def test_exposure_changes_tones_and_keeps_their_order():
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (16, 32, 1))[..., None]
    changed = np.asarray(layer(gamma=0.5, contrast=0.3, brightness=0.1, tone_curve=0.9)(ramp, training=True))[
        :, 0, :, 0
    ]
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert (np.diff(changed, axis=1) >= -1e-3).all()
    assert np.ptp(changed[:, 16]) > 40


def test_the_tone_curve_keeps_black_middle_and_white_and_changes_the_contrast_between():
    ramp = np.tile(np.array([0, 60, 127.5, 195, 255], np.float32), (64, 8, 1))[..., None]
    changed = np.asarray(layer(tone_curve=0.5)(ramp, training=True))[:, 0, :, 0]
    np.testing.assert_allclose(changed[:, [0, 2, 4]], [[0, 127.5, 255]] * 64, atol=0.1)
    np.testing.assert_allclose(changed[:, 1] - 60, 195 - changed[:, 3], atol=0.1)
    most = 0.5 / (2 * np.pi) * 255 * np.sin(2 * np.pi * 60 / 255)
    assert most * 0.8 < (changed[:, 1] - 60).max() <= most + 0.1
    assert -most - 0.1 <= (changed[:, 1] - 60).min() < -most * 0.8


def test_uneven_exposure_grows_from_one_edge_to_the_other_and_leaves_the_middle():
    grey = np.full((64, 33, 33, 1), 100, np.float32)
    changed = np.asarray(layer(bias_field=0.3)(grey, training=True))[..., 0]
    np.testing.assert_allclose(changed[:, 16, 16], 100, atol=0.1)
    for edge, opposite in ((changed[:, 0, 16], changed[:, -1, 16]), (changed[:, 16, 0], changed[:, 16, -1])):
        np.testing.assert_allclose(edge * opposite, 100**2, rtol=1e-3)
        assert 125 < edge.max() <= 130.1
        assert 76.9 <= edge.min() < 80


def test_sharpness_changes_details_alone_in_both_directions():
    images = np.full((64, 9, 9, 1), 100, np.float32)
    images[:, 4, 4] = 145
    changed = np.asarray(layer(sharpness=1.0)(images, training=True))[..., 0]
    np.testing.assert_allclose(changed[:, :2], 100, atol=0.1)
    np.testing.assert_allclose(changed.mean(axis=(1, 2)), images.mean(axis=(1, 2, 3)), atol=0.1)
    assert 105 <= changed[:, 4, 4].min() < 112, "the mean of the dot and its neighbours is 105"
    assert 178 < changed[:, 4, 4].max() <= 185


def test_tone_curve_uneven_exposure_and_sharpness_are_left_alone_unless_asked_for():
    images = np.random.default_rng(1).uniform(0, 255, (8, 16, 16, 1)).astype(np.float32)
    limits = STILL | {"tone_curve": 0.5, "bias_field": 0.3, "sharpness": 1.0}
    recipe = Recipe(epochs=1, batch_size=1, learning_rate=0.1, patience=0, **limits)
    same, changed = (RadiographAugmentation(recipe, 1, processing=one)(images, training=True) for one in (False, True))
    assert np.allclose(same, images, atol=0.5)
    assert np.abs(np.asarray(changed) - images).mean() > 5


def test_the_seed_decides_and_every_call_differs():
    images = pictures(4)
    one, other = layer(1, shift=0.2), layer(1, shift=0.2)
    first = np.asarray(one(images, training=True))
    assert np.array_equal(first, np.asarray(other(images, training=True)))
    assert not np.array_equal(first, np.asarray(one(images, training=True)))
    assert not np.array_equal(first, np.asarray(layer(2, shift=0.2)(images, training=True)))


def test_strength_scales_every_change():
    images = np.random.default_rng(1).uniform(0, 255, (8, 16, 16, 1)).astype(np.float32)
    recipe = Recipe(epochs=1, batch_size=1, learning_rate=0.1, patience=0)

    def change(strength):
        augmented = np.asarray(RadiographAugmentation(recipe, 1, strength)(images, training=True))
        return np.abs(augmented - images).mean()

    assert change(0.0) < 0.01 < change(0.2) < change(1.0)


def test_the_warp_that_xla_compiles_is_that_of_the_cpu(monkeypatch):
    random = np.random.default_rng(1)
    images = random.uniform(0, 255, (60, 21, 33, 1)).astype(np.float32)
    transforms = random.normal([1, 0, 0, 0, 1, 0], [0.3, 0.3, 9, 0.3, 0.3, 9], (60, 6)).astype(np.float32)
    transforms[:2] = [1, 0, 0, 0, 1, 0], [1, 0, 4, 0, 1, -3]
    warped = []
    for compiled in (False, True):
        monkeypatch.setattr(device, "jit_compile", lambda compiled=compiled: compiled)
        warped.append(np.asarray(augmentation.warp(images, transforms)))
    np.testing.assert_allclose(warped[1], warped[0], atol=0.05)
    np.testing.assert_array_equal(warped[1][0], images[0])
    np.testing.assert_array_equal(warped[1][1, 3:, :-4], images[1, :-3, 4:])
    assert not warped[1][1, :3].any()
