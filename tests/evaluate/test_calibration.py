"""Platt scaling against an unpenalised logistic regression, and where its answer is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from components.artifacts.evaluation import calibrated, logits
from components.evaluate import calibration


def drawn(factor=1.0, shift=0.0, images=4000):
    """Labels, and scores whose logits are `factor` times the true ones, moved by `shift`."""
    random = np.random.default_rng(0)
    true_logits = random.normal(size=images) * 2
    return (random.random(images) < expit(true_logits)).astype(int), expit(factor * true_logits + shift)


def test_it_is_a_logistic_regression_on_the_logits_with_platts_smoothed_targets():
    labels, scores = drawn(1.7, 0.8, 500)
    ill, well = labels.sum(), (1 - labels).sum()
    # A fractional target is a positive and a negative image that share the weight of one.
    targets = np.where(labels == 1, (ill + 1) / (ill + 2), 1 / (well + 2))
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(
        np.tile(logits(scores), 2)[:, None], np.repeat([1, 0], 500), sample_weight=np.r_[targets, 1 - targets]
    )
    temperature, offset = calibration.fit(labels, scores)
    assert temperature == pytest.approx(1 / model.coef_[0, 0], rel=1e-3)
    assert offset == pytest.approx(model.intercept_[0], rel=1e-3)


@pytest.mark.parametrize(("factor", "shift"), [(0.5, 0.0), (1.0, 0.0), (3.0, 0.0), (1.0, -1.5), (2.0, 1.0)])
def test_scores_that_are_too_sure_and_shifted_are_mended(factor, shift):
    labels, scores = drawn(factor, shift)
    temperature, offset = calibration.fit(labels, scores)
    assert temperature == pytest.approx(factor, rel=0.1)
    assert offset == pytest.approx(-shift / factor, abs=0.1)


@pytest.mark.parametrize(("factor", "shift"), [(3.0, 0.0), (1.0, -1.5)])
def test_scaled_scores_fit_better(factor, shift):
    labels, scores = drawn(factor, shift)
    after = calibrated(scores, *calibration.fit(labels, scores))
    assert ((after - labels) ** 2).mean() < ((scores - labels) ** 2).mean() - 0.005
    assert after.mean() == pytest.approx(labels.mean(), abs=1e-3)


def test_flawless_scores_get_no_certain_probabilities():
    labels = np.repeat([0, 1], [2, 6])
    after = calibrated(np.where(labels == 1, 0.9, 0.2), *calibration.fit(labels, np.where(labels == 1, 0.9, 0.2)))
    # The smoothed targets themselves: of two groups each can be fitted exactly.
    assert after == pytest.approx(np.where(labels == 1, 7 / 8, 1 / 4), abs=1e-4)


def test_scores_that_rank_wrongly_are_never_turned_round():
    labels = np.array([0, 0, 0, 1])
    temperature, offset = calibration.fit(labels, 1.0 - labels)
    assert temperature == pytest.approx(calibration.HIGHEST, rel=1e-3)
    after = calibrated(1.0 - labels, temperature, offset)
    assert after[0] > after[3]
    assert after.mean() == pytest.approx(np.mean([1 / 5, 1 / 5, 1 / 5, 2 / 3]), abs=1e-4)
