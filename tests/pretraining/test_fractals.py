"""Formulas, and the pictures that they draw."""

import numpy as np
import pytest

from pretraining import fractals

SIZE = 48


@pytest.fixture(scope="module")
def formulas():
    random = np.random.default_rng(1)
    return [fractals.formula(random) for _ in range(200)]


def test_formulas_have_every_number_of_maps_and_shrink_as_the_paper_says(formulas):
    assert {len(matrices) for matrices, _ in formulas} == set(range(2, 7))
    for matrices, offsets in formulas:
        count = len(matrices)
        assert matrices.shape == (count, 2, 2)
        assert offsets.shape == (count, 2)
        assert np.abs(offsets).max() <= 1
        values = np.linalg.svd(matrices, compute_uv=False)
        assert values.max() < 1
        assert (5 + count) / 2 <= (values @ [1, 2]).sum() <= (6 + count) / 2


def test_maps_turn_in_every_direction_and_some_mirror(formulas):
    signs = np.concatenate([np.sign(np.linalg.det(matrices)) for matrices, _ in formulas])
    assert 0.4 < (signs < 0).mean() < 0.6
    first = np.concatenate([matrices[:, :, 0] for matrices, _ in formulas])
    quadrants = (first > 0) @ [1, 2]
    assert np.bincount(quadrants).min() > 0.2 * len(quadrants)


def test_members_of_a_class_are_near_its_formula_and_differ_from_each_other(formulas):
    matrices, offsets = formulas[0]
    varied, moved = fractals.varied(matrices, offsets, 50, np.random.default_rng(1))
    for values, about in ((varied, matrices), (moved, offsets)):
        assert values.shape == (50, *about.shape)
        assert np.abs(values - about).max() <= 2 * fractals.JITTER
        assert values.std(axis=0).max() > 0.02


def test_no_member_of_a_class_stretches_the_plane():
    longest = np.diag([0.999, 0.5])[None].repeat(3, axis=0)
    varied, _ = fractals.varied(longest, np.zeros((3, 2)), 200, np.random.default_rng(1))
    lengths = np.linalg.norm(varied, 2, axis=(2, 3))
    assert lengths.max() <= fractals.LONGEST + 1e-9
    assert lengths.min() < fractals.LONGEST - 0.01  # those that need it alone are shortened


def test_a_picture_is_the_same_from_the_same_seed_alone(formulas):
    a, b, other = (fractals.draw(*formulas[3], 3, SIZE, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert a.shape == (3, SIZE, SIZE)
    assert a.dtype == np.uint8
    assert np.array_equal(a, b)
    assert not np.array_equal(a, other)
    assert not np.array_equal(a[0], a[1])


def test_every_formula_draws_something_and_leaves_something_blank(formulas):
    random = np.random.default_rng(2)
    for formula in formulas[:40]:
        pictures = fractals.draw(*formula, 3, SIZE, random).astype(float)
        low, high = np.percentile(pictures, [2, 98], axis=(1, 2))
        assert (high - low > 30).all()
        assert (pictures.std(axis=(1, 2)) > 8).all()


def test_pictures_are_light_on_dark_and_dark_on_light(formulas):
    pictures = fractals.draw(*formulas[0], 60, SIZE, np.random.default_rng(1)).astype(float)
    # Skewness: the few pixels that are drawn lie to one side of the many that are not.
    skewed = ((pictures - pictures.mean(axis=(1, 2), keepdims=True)) ** 3).mean(axis=(1, 2)) < 0
    assert 0.15 < skewed.mean() < 0.5


def test_a_picture_is_more_like_those_of_its_class_than_like_others(formulas):
    """By nearest neighbour on how much detail there is at each scale, however a picture is turned, lit or mirrored."""
    random = np.random.default_rng(3)
    chosen = formulas[:8]
    pictures = np.concatenate([fractals.draw(*formula, 24, SIZE, random) for formula in chosen]).astype(float)
    labels = np.repeat(np.arange(len(chosen)), 24)
    spectrum = np.abs(np.fft.fft2(pictures - pictures.mean(axis=(1, 2), keepdims=True))) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE))) * SIZE
    rings = [np.log(spectrum[:, (radius >= r) & (radius < r + 2)].mean(axis=1)) for r in range(1, 20, 2)]
    features = np.stack(rings, axis=1)
    features -= features.mean(axis=1, keepdims=True)
    distances = np.linalg.norm(features[:, None] - features, axis=2) + np.diag(np.full(len(labels), np.inf))
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.22  # chance: 0.125
