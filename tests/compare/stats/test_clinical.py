"""Predictive values and net benefit at a given prevalence."""

import numpy as np
import pytest

from components.compare.stats import clinical, resampling, uncertainty
from components.compare.stats.clinical import Rates
from components.compare.stats.uncertainty import Estimate, UncertainValue


def exact(value, low, high):
    return {"value": value, "ci95": [low, high]}


def binomial(share, images):
    variance = share * (1 - share) / images
    return {"value": share, "ci95": uncertainty.interval(UncertainValue(share, variance, images - 1))}


WORKED = Rates(exact(0.9867, 0.98, 0.99), exact(0.4017, 0.34, 0.47))


def test_the_worked_example():
    assert clinical.positive_predictive_value(WORKED, 0.1)["value"] == pytest.approx(0.155, abs=0.0005)
    assert clinical.negative_predictive_value(WORKED, 0.1)["value"] == pytest.approx(0.996, abs=0.0005)
    assert clinical.net_benefit(WORKED, 0.1, 0.2)["value"] == pytest.approx(-0.036, abs=0.0005)
    assert clinical.treat_all(0.1, 0.2) == pytest.approx(-0.125)


def test_predictive_values_at_the_samples_own_prevalence_are_its_precision():
    labels, called = np.array([1] * 40 + [0] * 60), np.array([1] * 30 + [0] * 10 + [1] * 20 + [0] * 40)
    found = Rates(binomial(30 / 40, 40), binomial(40 / 60, 60))
    precision = labels[called == 1].mean()
    assert clinical.positive_predictive_value(found, 0.4)["value"] == pytest.approx(precision)
    assert clinical.negative_predictive_value(found, 0.4)["value"] == pytest.approx(1 - labels[called == 0].mean())
    # Vickers and Elkin's formula, in counts of the sample.
    assert clinical.net_benefit(found, 0.4, 0.25)["value"] == pytest.approx(30 / 100 - 20 / 100 / 3)


def test_intervals_are_close_to_those_of_mercaldo_for_independent_rates():
    recall, specificity, ill, normal = 0.9, 0.85, 400, 500
    found = Rates(binomial(recall, ill), binomial(specificity, normal))
    for value, spread in (
        (
            clinical.positive_predictive_value(found, 0.1),
            (1 - recall) / recall / ill + specificity / (1 - specificity) / normal,
        ),
        (
            clinical.negative_predictive_value(found, 0.1),
            recall / (1 - recall) / ill + (1 - specificity) / specificity / normal,
        ),
    ):
        odds = value["value"] / (1 - value["value"]) * np.exp(np.array([-1.96, 1.96]) * np.sqrt(spread))
        assert value["ci95"] == pytest.approx(odds / (1 + odds), rel=0.02)


def test_the_interval_of_net_benefit_for_independent_rates_adds_their_variances():
    found = Rates(exact(0.8, 0.7, 0.85), exact(0.9, 0.84, 0.93))
    value = clinical.net_benefit(found, 0.2, 0.5)
    assert value["value"] == pytest.approx(0.2 * 0.8 - 0.8 * 0.1)
    below = np.hypot(0.2 * 0.1, 0.8 * 0.06)
    above = np.hypot(0.2 * 0.05, 0.8 * 0.03)
    assert value["ci95"] == pytest.approx([value["value"] - below, value["value"] + above])


def test_rates_that_rise_together_make_intervals_wider_and_opposite_ones_narrower():
    widths = []
    for correlation in (-1.0, 0.0, 1.0):
        found = Rates(exact(0.8, 0.7, 0.9), exact(0.9, 0.8, 0.95), correlation)
        values = (
            clinical.positive_predictive_value(found, 0.3),
            clinical.negative_predictive_value(found, 0.3),
            clinical.net_benefit(found, 0.3, 0.5),
        )
        widths.append([value["ci95"][1] - value["ci95"][0] for value in values])
    assert np.all(np.diff(widths, axis=0) > 0)


def test_without_a_false_alarm_the_interval_reaches_down_to_the_worst_of_both_rates():
    found = Rates(exact(0.9, 0.85, 0.95), exact(1.0, 0.96, 1.0))
    worst = 0.1 * 0.85 / (0.1 * 0.85 + 0.9 * 0.04)
    assert clinical.positive_predictive_value(found, 0.1) == exact(1.0, pytest.approx(worst), 1.0)


def test_where_every_alarm_is_false_the_interval_reaches_up_to_the_best_of_both_rates():
    found = Rates(exact(0.0, 0.0, 0.05), exact(0.5, 0.4, 0.6))
    best = 0.1 * 0.05 / (0.1 * 0.05 + 0.9 * 0.4)
    assert clinical.positive_predictive_value(found, 0.1) == exact(0.0, 0.0, pytest.approx(best))


def test_a_decision_that_is_always_the_same_lacks_one_predictive_value():
    always = Rates(exact(1.0, 0.95, 1.0), exact(0.0, 0.0, 0.05))
    assert clinical.positive_predictive_value(always, 0.1)["value"] == pytest.approx(0.1)
    assert clinical.negative_predictive_value(always, 0.1) is None
    never = Rates(exact(0.0, 0.0, 0.05), exact(1.0, 0.95, 1.0))
    assert clinical.positive_predictive_value(never, 0.1) is None
    assert clinical.net_benefit(never, 0.1, 0.2)["value"] == 0
    assert clinical.net_benefit(always, 0.1, 0.2)["value"] == pytest.approx(clinical.treat_all(0.1, 0.2))


def test_an_end_that_was_rounded_to_1_gives_a_finite_interval():
    low, high = clinical.positive_predictive_value(Rates(exact(0.9, 0.8, 1.0), exact(0.9, 0.2, 1.0)), 0.1)["ci95"]
    assert 0 < low < 0.5 < high <= 1


def test_the_correlation_of_the_rates_is_that_of_the_replicates():
    random = np.random.default_rng(3)
    samples = random.multivariate_normal([0.9, 0.8], [[4e-4, -3e-4], [-3e-4, 9e-4]], 4000)
    columns = {
        **{"recall": samples[:, 0], "specificity": samples[:, 1]},
        "balanced_accuracy": samples.mean(axis=1),
    }
    estimates = {
        name: Estimate(np.array([column.mean()]), np.atleast_2d(np.cov(column)), 99) for name, column in columns.items()
    }
    found = clinical.rates(estimates, [0])
    assert found.correlation == pytest.approx(np.corrcoef(samples.T)[0, 1])
    assert found.recall["ci95"] == uncertainty.interval(estimates["recall"].mean([0]))


def test_a_rate_without_variation_has_no_correlation():
    still = Estimate(np.array([1.0]), np.zeros((1, 1)), 99)
    moving = Estimate(np.array([0.8]), np.full((1, 1), 1e-3), 99)
    half = Estimate(np.array([0.9]), np.full((1, 1), 0.25e-3), 99)
    found = clinical.rates({"recall": still, "specificity": moving, "balanced_accuracy": half}, [0])
    assert found.correlation == 0


def test_reweighting_multiplies_the_odds():
    # Of 100 validation images 75 are pneumonia: a risk of 0.9 there means odds of 9 = 3 times the prior odds.
    found = clinical.reweighted(np.array([0.0, 0.75, 0.9, 1.0]), 0.75, 0.1)
    assert found == pytest.approx([0.0, 0.1, 0.25, 1.0])
    assert clinical.reweighted(found, 0.1, 0.75) == pytest.approx([0.0, 0.75, 0.9, 1.0])


def test_rates_at_several_risks_agree_with_the_metrics_of_each_threshold():
    random = np.random.default_rng(5)
    labels, risks = np.repeat([0, 1], [30, 50]), random.random(80).round(2)
    weights = random.integers(0, 4, (3, 80)).astype(float)
    cuts = [0.1, float(risks[3]), 0.8]
    found = clinical.rates_at(labels, risks, cuts)(weights)
    expected = [resampling.decision_metrics(labels, risks, cut, weights) for cut in cuts]
    assert found == pytest.approx(np.stack([metrics[name] for metrics in expected for name in clinical.RATES], axis=1))


def test_a_moved_metric_keeps_the_width_of_its_interval():
    assert clinical.moved(exact(0.5, 0.25, 1.0), -0.25) == exact(0.25, 0.0, 0.75)
