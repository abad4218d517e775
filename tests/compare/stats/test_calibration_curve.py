"""Smoothed calibration curves."""

import numpy as np
import pytest
from scipy.special import expit, logit

from components.compare.stats.calibration_curve import _spline, smoothed

RANDOM = np.random.default_rng(11)
LOGITS = RANDOM.normal(0, 1.5, 6000)
LABELS = (RANDOM.random(6000) < expit(LOGITS)).astype(int)
PEOPLE = np.arange(6000)


def test_calibrated_risks_lie_on_the_diagonal():
    curve = smoothed(LABELS, PEOPLE, expit(LOGITS), LABELS.mean())
    assert curve.observed == pytest.approx(curve.predicted, abs=0.04)
    inside = (curve.ends[:, 0] <= curve.predicted) & (curve.predicted <= curve.ends[:, 1])
    assert inside.mean() > 0.8
    assert curve.predicted[[0, -1]] == pytest.approx(expit(np.quantile(LOGITS, [0.01, 0.99])))


def test_risks_that_are_reweighted_to_another_prevalence_stay_on_the_diagonal():
    shift = logit(0.1) - logit(LABELS.mean())
    curve = smoothed(LABELS, PEOPLE, expit(LOGITS + shift), 0.1)
    assert curve.observed == pytest.approx(curve.predicted, abs=0.04)


def test_overconfident_risks_are_too_far_from_the_middle():
    curve = smoothed(LABELS, PEOPLE, expit(2 * LOGITS), LABELS.mean())
    assert logit(curve.observed) == pytest.approx(logit(curve.predicted) / 2, abs=0.35)


def test_a_bend_is_followed():
    labels = (RANDOM.random(6000) < expit(np.where(LOGITS > 0, LOGITS, 0))).astype(int)
    curve = smoothed(labels, PEOPLE, expit(LOGITS), labels.mean())
    assert np.interp(0.15, curve.predicted, curve.observed) == pytest.approx(0.5, abs=0.06)
    assert np.interp(0.9, curve.predicted, curve.observed) == pytest.approx(0.9, abs=0.06)


def test_outside_of_the_knots_the_spline_is_a_line():
    knots = np.array([-1.0, 0.5, 2.0])
    for x in (np.linspace(-5, -1, 9), np.linspace(2, 8, 9)):
        assert np.diff(_spline(x, knots), 2, axis=0) == pytest.approx(0, abs=1e-9)
    assert np.abs(np.diff(_spline(np.linspace(-1, 2, 9), knots), 2, axis=0)).max() > 0.01


def test_copies_of_the_same_patients_do_not_narrow_the_interval():
    once = smoothed(LABELS, PEOPLE, expit(LOGITS), 0.5)
    thrice = smoothed(np.tile(LABELS, 3), np.tile(PEOPLE, 3), np.tile(expit(LOGITS), 3), 0.5)
    assert thrice.ends == pytest.approx(once.ends, abs=1e-3)
    alone = smoothed(np.tile(LABELS, 3), np.arange(18000), np.tile(expit(LOGITS), 3), 0.5)
    assert np.ptp(alone.ends, axis=1)[20] == pytest.approx(np.ptp(once.ends, axis=1)[20] / np.sqrt(3), rel=0.02)


def test_risks_that_separate_the_classes_have_a_finite_curve():
    labels = np.repeat([0, 1], 50)
    curve = smoothed(labels, np.arange(100), np.linspace(0.01, 0.99, 100), 0.1)
    assert np.isfinite(curve.ends).all()
    assert curve.observed[0] < 0.01
    assert curve.observed[-1] > 0.9


@pytest.mark.parametrize("risks", [np.full(10, 0.3), np.r_[np.full(9, 0.3), 0.5]])
def test_risks_that_hardly_differ_have_no_curve(risks):
    assert smoothed(np.repeat([0, 1], 5), np.arange(10), risks, 0.1) is None
