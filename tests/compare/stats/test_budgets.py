"""Means over draws of labelled patients, and what varies between samples of them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.compare.stats import budgets, uncertainty
from components.compare.stats.budgets import Condition, Trainings

LABELS = np.r_[np.zeros(120, int), np.ones(180, int)]


def make_trainings(*, draws=5, seeds=3, regimes=("a", "b"), same=False, spread=0.3):
    """Trainings of regimes with 50 and 100 patients, and with all 400; `same` gives every regime the same scores."""
    scores, conditions = [], []
    common = np.random.default_rng(0).normal(size=len(LABELS))
    for number, regime in enumerate(regimes):
        random = np.random.default_rng(1 if same else 1 + number)
        for patients, count in ((50, draws), (100, draws), (400, seeds)):
            rows = tuple(range(len(scores), len(scores) + count))
            conditions.append(Condition(regime, patients, rows, whole=patients == 400))
            for _ in range(count):
                distance = 2 - 5 / patients**0.5 + spread * random.normal()
                logit = distance * (LABELS - 0.5) + 0.7 * common + 0.5 * random.normal(size=len(LABELS))
                scores.append(1 / (1 + np.exp(-logit)))
    return Trainings(LABELS, np.arange(len(LABELS)), np.stack(scores), np.full(len(scores), 0.5), tuple(conditions))


def means_of(trainings):
    return budgets.means(trainings, budgets.areas(trainings))


def test_means_are_those_of_the_areas_of_the_draws():
    trainings = make_trainings()
    found = means_of(trainings)
    for condition, value in zip(found.conditions, found.values, strict=True):
        expected = np.mean([roc_auc_score(LABELS, trainings.scores[row]) for row in condition.rows])
        assert value == pytest.approx(expected)


def test_accuracy_is_that_at_the_threshold_of_each_training_with_the_variance_of_a_share():
    trainings = make_trainings()
    thresholds = np.linspace(0.3, 0.7, len(trainings.scores))
    found = budgets.accuracies(replace(trainings, thresholds=thresholds))
    expected = [((row >= cut) == LABELS).mean() for row, cut in zip(trainings.scores, thresholds, strict=True)]
    assert found.values == pytest.approx(expected)
    variances = found.values * (1 - found.values) / (len(LABELS) - 1)
    assert np.diag(found.covariance) == pytest.approx(variances)


def test_images_of_one_patient_make_accuracy_less_certain():
    trainings = make_trainings()
    twice = Trainings(
        np.tile(LABELS, 2),
        np.tile(trainings.patients, 2),
        np.tile(trainings.scores, 2),
        trainings.thresholds,
        trainings.conditions,
    )
    assert budgets.accuracies(twice).covariance == pytest.approx(budgets.accuracies(trainings).covariance)


def test_the_variance_of_a_mean_is_that_of_the_seeds_model():
    trainings = make_trainings()
    areas = budgets.areas(trainings)
    found = budgets.means(trainings, areas)
    for place, condition in enumerate(found.conditions):
        # `uncertainty` has the same model for one condition; here its lower bound never matters.
        assert found.variances[place] == pytest.approx(areas.mean(condition.rows).variance, rel=0.02)


def test_samples_have_the_covariance_of_patients_and_draws():
    found = means_of(make_trainings(draws=40, seeds=40))
    moved = budgets.deviations(found, 100_000)
    assert moved.mean(axis=0) == pytest.approx(np.zeros(6), abs=4e-4)
    # A t distribution with 39 degrees of freedom has 39/37 of the variance.
    assert moved.var(axis=0) == pytest.approx(found.variances, rel=0.08)
    assert (moved.var(axis=0) > 0.98 * found.variances).all()


def test_few_draws_have_the_tails_of_students_t():
    found = means_of(make_trainings(spread=1.0))
    only_draws = replace(found, of_patients=np.zeros_like(found.of_patients))
    moved = budgets.deviations(only_draws, 200_000)
    errors = np.sqrt(only_draws.variances)
    ends = np.quantile(moved[:, 0] / errors[0], [0.025, 0.975])
    assert ends == pytest.approx([-2.776, 2.776], rel=0.03)
    ends = np.quantile(moved[:, 2] / errors[2], [0.025, 0.975])
    assert ends == pytest.approx([-4.303, 4.303], rel=0.05)


def test_draws_are_paired_between_regimes_and_seeds_are_not():
    found = means_of(make_trainings(same=True, spread=0.8))
    moved = budgets.deviations(found, 2000)
    assert moved[:, :2] == pytest.approx(moved[:, 3:5], abs=1e-7)
    assert np.abs(moved[:, 2] - moved[:, 5]).max() > 1e-3


def test_one_draw_has_no_variation_between_draws():
    found = means_of(make_trainings(draws=1, seeds=1))
    assert found.spreads == ()
    assert found.variances == pytest.approx(np.diag(found.of_patients))


def test_the_order_of_the_draws_pairs_them():
    trainings = make_trainings(same=True, spread=0.8)
    mixed = list(trainings.conditions)
    mixed[3] = replace(mixed[3], rows=tuple(reversed(mixed[3].rows)))
    moved = budgets.deviations(means_of(replace(trainings, conditions=tuple(mixed))), 2000)
    assert np.abs(moved[:, 0] - moved[:, 3]).max() > 1e-3


def test_samples_stay_between_0_and_1_and_certain_values_where_they_are():
    found = budgets.shifted(np.array([0.99, 1.0, 0.0]), np.array([[0.1, 0.5, -0.5], [-0.1, -0.5, 0.5]]))
    assert found[0, 0] == pytest.approx(1 - 0.01 / 0.99 * np.exp(-0.1 / 0.0099), rel=1e-6)
    assert 0 < found[1, 0] < 0.01
    assert (found[:, 1:] == [1, 0]).all()


def test_samples_agree_with_the_interval_of_a_mean():
    trainings = make_trainings(draws=40, seeds=40)
    areas = budgets.areas(trainings)
    found = budgets.means(trainings, areas)
    made = budgets.shifted(found.values, budgets.deviations(found, 100_000))
    expected = uncertainty.interval(areas.mean(found.conditions[0].rows))
    assert np.quantile(made[:, 0], [0.025, 0.975]) == pytest.approx(expected, abs=0.001)
