"""Intervals and p-values of both sources of variation against the known special cases."""

import numpy as np
import pytest
from scipy import stats

from components.compare.stats import evidence, uncertainty
from components.compare.stats.evidence import Scored
from components.compare.stats.uncertainty import Estimate, UncertainValue

A, B = [0, 1, 2], [3, 4, 5, 6]
VALUES = np.array([0.90, 0.93, 0.95, 0.80, 0.84, 0.85, 0.91])


def test_seeds_alone_give_welchs_t_test():
    metric = Estimate(VALUES, np.zeros((7, 7)), 100)
    estimate = metric.difference(A, B)
    welch = stats.ttest_ind(VALUES[A], VALUES[B], equal_var=False)
    assert uncertainty.p_value(estimate) == pytest.approx(welch.pvalue)
    assert estimate.degrees_of_freedom == pytest.approx(welch.df)
    assert uncertainty.difference_interval(estimate) == pytest.approx(list(welch.confidence_interval(0.95)))


def test_patients_alone_give_the_t_test_of_their_standard_error():
    metric = Estimate(np.array([0.9, 0.8]), np.array([[0.0009, 0.0003], [0.0003, 0.0004]]), 30)
    estimate = metric.difference([0], [1])
    assert estimate == UncertainValue(pytest.approx(0.1), pytest.approx(0.0007), pytest.approx(30))
    assert uncertainty.p_value(estimate) == pytest.approx(2 * stats.t.sf(0.1 / np.sqrt(0.0007), 30))


def test_what_seeds_do_on_these_patients_counts_once():
    common, own, spread = 0.0004, 0.0002, 0.03
    values = 0.9 + spread * np.array([-1.0, 0.0, 1.0])
    metric = Estimate(values, np.full((3, 3), common) + own * np.eye(3), 50)
    estimate = metric.mean([0, 1, 2])
    assert estimate.variance == pytest.approx(common + spread**2 / 3)
    expected = estimate.variance**2 / (common**2 / 50 + (spread**2 / 3) ** 2 / 2)
    assert estimate.degrees_of_freedom == pytest.approx(expected)


def test_the_variance_is_at_least_that_between_patients():
    covariance = np.full((3, 3), 0.0004) + 0.0002 * np.eye(3)
    estimate = Estimate(np.full(3, 0.9), covariance, 50).mean([0, 1, 2])
    assert estimate.variance == pytest.approx(covariance.mean())


def test_what_two_regimes_share_cancels_in_their_difference():
    shared = Estimate(np.array([0.9, 0.8]), np.full((2, 2), 0.001), 50)
    assert shared.difference([0], [1]).variance == 0
    assert uncertainty.p_value(shared.difference([0], [1])) > 0.05


def test_a_regime_trained_once_adds_its_patients_only():
    metric = Estimate(np.array([0.9, 0.94, 0.8]), 0.0001 * np.eye(3), 50)
    estimate = metric.difference([0, 1], [2])
    assert estimate.value == pytest.approx(0.12)
    assert estimate.variance == pytest.approx(0.0008 / 2 + 0.0001)


def test_an_interval_near_a_bound_stays_within_it_and_leans_away_from_it():
    low, high = uncertainty.interval(UncertainValue(0.99, 0.0001, 50))
    assert 0.9 < low < 0.99 < high < 1
    assert high - 0.99 < 0.99 - low
    low, high = uncertainty.interval(UncertainValue(0.0, 0.0001, 50), -1, 1)
    assert low == pytest.approx(-high)


def test_in_the_middle_an_interval_is_the_usual_one():
    half = stats.t.ppf(0.975, 80) * 0.01
    assert uncertainty.interval(UncertainValue(0.5, 0.0001, 80)) == pytest.approx([0.5 - half, 0.5 + half], abs=2e-4)


@pytest.mark.parametrize("patients", [1, 20, 200])
def test_a_metric_without_mistakes_has_the_exact_interval_of_as_many_patients(patients):
    metric = Estimate(np.array([1.0, 0.0, 1.0]), np.zeros((3, 3)), patients - 1 if patients > 1 else 1)
    exact = stats.binomtest(max(patients, 2), max(patients, 2)).proportion_ci(0.95, "exact")
    assert uncertainty.interval(metric.mean([0])) == pytest.approx(list(exact))
    assert uncertainty.interval(metric.mean([1])) == pytest.approx([0, 1 - exact.low])
    low, high = uncertainty.difference_interval(metric.difference([0], [2]))
    assert (low, high) == (pytest.approx(exact.low - 1), pytest.approx(1 - exact.low))


def test_a_difference_stays_possible():
    assert uncertainty.difference_interval(UncertainValue(0.9, 0.04, 3)) == [
        pytest.approx(0.9 - 3.182 * 0.2, abs=1e-3),
        1.0,
    ]


LABELS = np.repeat([0, 1], [30, 50])
RISING = np.linspace(0.6, 0.9, 80)
CERTAIN = {
    "calls all pneumonia": [RISING],
    "calls none pneumonia": [RISING - 0.5],
    "one score for all": [np.full(80, 0.7)],
    "flawless": [LABELS.astype(float)],
    "always wrong": [1.0 - LABELS],
    "three seeds that agree": [RISING] * 3,
    "seven seeds whose weights do not sum up to 1": [LABELS.astype(float)] * 7,
}


@pytest.mark.parametrize("scores", CERTAIN.values(), ids=CERTAIN)
def test_no_metric_of_no_subgroup_is_certain_though_resampling_never_changes_it(scores):
    subgroups = {"some": np.arange(80) % 2 == 0, "normal": LABELS == 0}
    models = [Scored(own, 0.5, {"point": 0.5}, own) for own in scores]
    estimates = evidence.gather(LABELS, np.arange(80).astype(str), models, subgroups, replicates=50)
    for name, metric in estimates.items():
        estimate = metric.mean(range(len(models)))
        lowest, highest = evidence.BOUNDS.get(name, (0.0, 1.0))
        low, high = uncertainty.interval(estimate, lowest, highest)
        assert lowest <= low <= estimate.value + 1e-9, name
        assert estimate.value - 1e-9 <= high <= highest, name
        assert high - low > 1e-3, name


def test_where_nothing_varies_the_interval_is_clopper_and_pearsons_for_the_rarer_class():
    models = [Scored(RISING, 0.5)]
    accuracy = evidence.gather(LABELS, np.arange(80), models, replicates=50)["accuracy"].mean([0])
    share = stats.binomtest(20, 32).proportion_ci(0.95, "exact")
    of_32_patients = UncertainValue(accuracy.value, accuracy.variance, 31)
    assert accuracy.degrees_of_freedom == 29
    assert uncertainty.interval(of_32_patients) == pytest.approx([share.low, share.high])


@pytest.mark.parametrize("span", [1.0, 2.0])
@pytest.mark.parametrize("difference", [0.0, 1e-14, 0.05, 0.2, 0.25, 0.3, 0.6, 0.98, 1.0, -0.2, -0.3, -1.0])
def test_the_p_value_of_a_difference_without_variance_agrees_with_its_interval(difference, span):
    estimate = UncertainValue(span * difference, 0.0, 49)
    low, high = uncertainty.difference_interval(estimate, span)
    assert -span <= low < high <= span
    assert (uncertainty.p_value(estimate, span) < 0.05) == (not low <= 0 <= high)


def test_an_unpaired_difference_has_welchs_variance_and_degrees_of_freedom():
    found = uncertainty.independent_difference(UncertainValue(0.9, 0.0004, 10), UncertainValue(0.8, 0.0009, 20))
    assert found.value == pytest.approx(0.1)
    assert found.variance == pytest.approx(0.0013)
    assert found.degrees_of_freedom == pytest.approx(0.0013**2 / (0.0004**2 / 10 + 0.0009**2 / 20))


@pytest.mark.parametrize(("value", "variance"), [(0.6, 0.0004), (0.98, 0.0001), (-0.9, 0.01), (0.6, 0.0), (1.0, 0.001)])
def test_an_interval_between_other_bounds_is_that_of_the_share_of_the_range(value, variance):
    share = uncertainty.interval(UncertainValue((value + 1) / 2, variance / 4, 40))
    found = uncertainty.interval(UncertainValue(value, variance, 40), -1, 1)
    assert found == pytest.approx([2 * end - 1 for end in share])
    assert -1 <= found[0] < found[1] <= 1


def test_in_the_middle_of_other_bounds_an_interval_is_the_usual_one_too():
    half = stats.t.ppf(0.975, 80) * 0.01
    assert uncertainty.interval(UncertainValue(0.0, 0.0001, 80), -1, 1) == pytest.approx([-half, half], abs=2e-4)


def test_a_difference_of_a_wider_range_may_be_wider():
    value = UncertainValue(1.5, 0.04, 3)
    assert uncertainty.difference_interval(value, 2.0) == [pytest.approx(1.5 - 3.182 * 0.2, abs=1e-3), 2.0]
    opposite = UncertainValue(-1.5, 0.04, 3)
    assert uncertainty.difference_interval(opposite, 2.0) == [-2.0, pytest.approx(3.182 * 0.2 - 1.5, abs=1e-3)]
    assert uncertainty.difference_interval(value, 1.0)[1] == 1.0


def test_independent_values_without_variance_have_the_fewer_patients():
    found = uncertainty.independent_difference(UncertainValue(0.9, 0.0, 10), UncertainValue(0.8, 0.0, 20))
    assert (found.variance, found.degrees_of_freedom) == (0.0, 10)


def test_only_rounding_errors_count_as_no_variance():
    one_image_in_500_000 = 1 / 500_000**2
    for variance, known in ((one_image_in_500_000, one_image_in_500_000), (1e-20, 0.0)):
        assert Estimate(np.array([0.9]), np.array([[variance]]), 50).mean([0]).variance == known


def test_seeds_that_agree_without_common_variation_have_the_degrees_of_freedom_of_the_patients():
    with np.errstate(all="raise"):
        found = Estimate(np.array([0.9, 0.9]), np.diag([1e-4, 1e-4]), 50).mean([0, 1])
    assert found.variance == pytest.approx(0.5e-4)
    assert found.degrees_of_freedom == 50
