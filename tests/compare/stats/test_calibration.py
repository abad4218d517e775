"""Reliability diagrams."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from components.compare.stats.calibration import expected_error, reliability, slopes_and_intercepts, wilson


@pytest.mark.parametrize(("hits", "number"), [(0, 7), (3, 10), (9, 9), (40, 250)])
def test_intervals_of_shares_are_wilsons(hits, number):
    expected = stats.binomtest(hits, number).proportion_ci(method="wilson")
    assert wilson(hits / number, number) == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_each_bin_has_its_mean_score_and_share():
    labels = np.array([0, 1, 1, 0, 0])
    first, second, third = reliability(labels, [np.array([0.01, 0.05, 0.5, 0.98, 1.0])])
    assert (first["score"], first["pneumonia"], first["images"]) == (pytest.approx(0.03), 0.5, 2)
    assert (second["score"], second["pneumonia"], second["images"]) == (0.5, 1.0, 1)
    assert (third["score"], third["pneumonia"], third["images"]) == (pytest.approx(0.99), 0.0, 2)
    assert first["pneumonia_ci95"] == wilson(0.5, 2)


def test_several_seeds_are_pooled_but_each_image_counts_once_for_the_interval():
    labels = np.array([0, 1, 1, 1])
    scores = np.full(4, 0.5)
    (once,), (thrice,) = reliability(labels, [scores]), reliability(labels, [scores] * 3)
    assert thrice == once | {"images": 12}


LOGITS = np.repeat([np.log(3), -np.log(3), 0.0], [40, 40, 20])
OUTCOMES = np.r_[np.repeat([1, 0], [30, 10]), np.repeat([1, 0], [10, 30]), np.repeat([1, 0], [10, 10])]
"""Three in four images with the logit log 3 show pneumonia, and so on: perfectly calibrated."""


def test_calibrated_logits_have_slope_1_and_intercept_0_and_twice_the_logit_plus_1_has_slope_one_half():
    slopes, intercepts = slopes_and_intercepts(OUTCOMES, np.arange(100), np.stack([LOGITS, 2 * LOGITS + 1, LOGITS - 1]))
    assert slopes.values == pytest.approx([1.0, 0.5, 1.0])
    assert intercepts.values[[0, 2]] == pytest.approx([0.0, 1.0], abs=1e-9)
    # The intercept at slope 1 makes the mean probability that of the labels.
    assert expit(2 * LOGITS + 1 + intercepts.values[1]).mean() == pytest.approx(OUTCOMES.mean())


def test_their_standard_errors_are_those_of_logistic_regression_for_independent_images():
    slopes, intercepts = slopes_and_intercepts(OUTCOMES, np.arange(100), LOGITS[None])
    fitted = expit(LOGITS)
    design = np.stack([np.ones(100), LOGITS])
    model = np.linalg.inv((design * fitted * (1 - fitted)) @ design.T)
    assert slopes.covariance[0, 0] == pytest.approx(model[1, 1], rel=0.03)
    assert intercepts.covariance[0, 0] == pytest.approx(1 / np.sum(fitted * (1 - fitted)), rel=0.03)


def test_images_of_one_patient_count_as_one_observation():
    alone = slopes_and_intercepts(OUTCOMES, np.arange(100), LOGITS[None])
    twice = slopes_and_intercepts(np.tile(OUTCOMES, 2), np.tile(np.arange(100), 2), np.tile(LOGITS, 2)[None])
    for single, double in zip(alone, twice, strict=True):
        assert double.values == pytest.approx(single.values, abs=1e-9)
        assert double.covariance == pytest.approx(single.covariance)
        assert double.degrees_of_freedom == single.degrees_of_freedom == 49


@pytest.mark.parametrize("logits", [np.where(OUTCOMES == 1, 2.0, -1.0), np.zeros(100)], ids=["separate", "equal"])
def test_logits_that_separate_the_classes_or_are_equal_have_no_slope(logits):
    slopes, intercepts = slopes_and_intercepts(OUTCOMES, np.arange(100), logits[None])
    assert np.isnan(slopes.values).all()
    assert np.isfinite(intercepts.values).all()


def test_a_perfectly_calibrated_model_has_an_error_by_chance_that_shrinks_with_its_images():
    random = np.random.default_rng(2)
    few, many = (expected_error(random.random(images)) for images in (250, 4000))
    assert 0.04 < few < 0.09
    assert many == pytest.approx(few / 4, rel=0.15)
    assert expected_error(np.array([0.0, 1.0, 1.0])) == 0
