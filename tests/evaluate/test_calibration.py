"""Temperature scaling against an unpenalised logistic regression, and where its answer is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from components.artifacts.evaluation import calibrated, logits
from components.evaluate.calibration import HIGHEST, LOWEST, fit_temperature


def scores_that_are_too_sure(factor, images=4000):
    random = np.random.default_rng(0)
    true_logits = random.normal(size=images) * 2
    return (random.random(images) < expit(true_logits)).astype(int), expit(factor * true_logits)


def test_it_is_the_inverse_slope_of_a_logistic_regression_on_the_logits():
    labels, scores = scores_that_are_too_sure(1.7, 500)
    slope = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(logits(scores)[:, None], labels).coef_[0, 0]
    assert fit_temperature(labels, scores) == pytest.approx(1 / slope, rel=1e-3)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_scores_that_are_too_sure_by_a_factor_get_that_temperature(factor):
    labels, scores = scores_that_are_too_sure(factor)
    assert fit_temperature(labels, scores) == pytest.approx(factor, rel=0.1)


def test_scaled_scores_fit_better():
    labels, scores = scores_that_are_too_sure(3.0)
    after = calibrated(scores, fit_temperature(labels, scores))
    assert ((after - labels) ** 2).mean() < ((scores - labels) ** 2).mean() - 0.005


def test_flawless_and_senseless_scores_give_finite_temperatures():
    labels = np.array([0, 0, 1, 1])
    assert fit_temperature(labels, labels.astype(float)) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(labels, 1.0 - labels) == pytest.approx(HIGHEST, rel=1e-3)
