"""Intervals and p-values of both sources of variation against the known special cases."""

import numpy as np
import pytest
from scipy import stats

from components.compare.stats import evidence, uncertainty
from components.compare.stats.evidence import Scored
from components.compare.stats.uncertainty import Estimate, UncertainDifference, UncertainValue

A, B = [0, 1, 2], [3, 4, 5, 6]
VALUES = np.array([0.90, 0.93, 0.95, 0.80, 0.84, 0.85, 0.91])


def gap(a, b, variance, freedom=50, of_a=0.0004, of_b=0.0004):
    """The difference of two values with this variance of the difference and of each value."""
    first, second = UncertainValue(a, of_a, freedom), UncertainValue(b, of_b, freedom)
    return UncertainDifference(a - b, variance, freedom, a=first, b=second)


def test_seeds_alone_give_welchs_t_test():
    metric = Estimate(VALUES, np.zeros((7, 7)), 100)
    estimate = metric.difference(A, B)
    welch = stats.ttest_ind(VALUES[A], VALUES[B], equal_var=False)
    assert uncertainty.p_value(estimate) == pytest.approx(welch.pvalue)
    assert estimate.degrees_of_freedom == pytest.approx(welch.df)
    # In the middle of a wide range the interval of the difference is Welch's.
    assert uncertainty.difference_interval(estimate, -50, 50) == pytest.approx(
        list(welch.confidence_interval(0.95)), abs=1e-4
    )


def test_patients_alone_give_the_t_test_of_their_standard_error():
    metric = Estimate(np.array([0.9, 0.8]), np.array([[0.0009, 0.0003], [0.0003, 0.0004]]), 30)
    estimate = metric.difference([0], [1])
    assert (estimate.value, estimate.variance) == (pytest.approx(0.1), pytest.approx(0.0007))
    assert (estimate.degrees_of_freedom, estimate.seed_variance) == (30, 0)
    assert estimate.correlation == pytest.approx(0.0003 / (0.03 * 0.02))
    assert uncertainty.p_value(estimate) == pytest.approx(2 * stats.t.sf(0.1 / np.sqrt(0.0007), 30))


def test_what_seeds_do_on_these_patients_counts_once():
    common, own, spread = 0.0004, 0.0002, 0.03
    values = 0.9 + spread * np.array([-1.0, 0.0, 1.0])
    metric = Estimate(values, np.full((3, 3), common) + own * np.eye(3), 50)
    estimate = metric.mean([0, 1, 2])
    assert estimate.variance == pytest.approx(common + spread**2 / 3)
    expected = estimate.variance**2 / (common**2 / 50 + (spread**2 / 3) ** 2 / 2)
    assert estimate.degrees_of_freedom == pytest.approx(expected)
    assert estimate.seed_variance == pytest.approx(spread**2 / 3 - own / 3)


def test_the_variance_is_at_least_that_between_patients():
    covariance = np.full((3, 3), 0.0004) + 0.0002 * np.eye(3)
    estimate = Estimate(np.full(3, 0.9), covariance, 50).mean([0, 1, 2])
    assert estimate.variance == pytest.approx(covariance.mean())
    assert (estimate.degrees_of_freedom, estimate.seed_variance) == (50, 0)


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


@pytest.mark.parametrize(("a", "b", "bounds"), [(0.999, 0.2, (0, 1)), (0.2, 0.999, (0, 1)), (0.95, -0.9, (-1, 1))])
def test_a_difference_stays_possible(a, b, bounds):
    low, high = uncertainty.difference_interval(gap(a, b, 0.08, 3, 0.04, 0.04), *bounds)
    assert bounds[0] - bounds[1] <= low < a - b < high <= bounds[1] - bounds[0]


def test_far_from_the_bounds_the_interval_of_a_difference_is_the_usual_one():
    estimate = gap(0.52, 0.5, 0.0003, 80)
    half = stats.t.ppf(0.975, 80) * np.sqrt(0.0003)
    assert uncertainty.difference_interval(estimate) == pytest.approx([0.02 - half, 0.02 + half], abs=2e-4)
    assert uncertainty.change_interval(estimate) == pytest.approx([0.02 - half, 0.02 + half])


def test_the_interval_of_a_difference_of_independent_shares_is_newcombes():
    # Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), method 10, built from the
    # intervals of both shares; here those are the logit intervals.
    estimate = gap(0.98, 0.9, 0.0008)
    (a_low, a_high), (b_low, b_high) = (uncertainty.interval(part) for part in (estimate.a, estimate.b))
    below = np.hypot(0.98 - a_low, b_high - 0.9)
    above = np.hypot(a_high - 0.98, 0.9 - b_low)
    assert uncertainty.difference_interval(estimate) == pytest.approx([0.08 - below, 0.08 + above])
    assert above < below


def test_what_both_values_share_narrows_the_interval_of_their_difference():
    ends = [uncertainty.difference_interval(gap(0.97, 0.95, variance)) for variance in (0.0008, 0.0004, 0.0001)]
    widths = [high - low for low, high in ends]
    assert widths == sorted(widths, reverse=True)
    assert all(low < 0.02 < high for low, high in ends)


def test_a_wider_confidence_gives_a_wider_interval():
    narrow, wide = (uncertainty.difference_interval(gap(0.97, 0.95, 0.0004), confidence=c) for c in (0.9, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


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
        if name.startswith("calibration change/"):
            continue  # a difference, with an interval of another kind
        estimate = metric.mean(range(len(models)))
        lowest, highest = evidence.bounds(name.rpartition("/")[2])
        low, high = uncertainty.interval(estimate, lowest, highest)
        assert lowest <= low <= estimate.value + 1e-9, name
        assert estimate.value - 1e-9 <= high <= highest, name
        assert high - low > 1e-3, name


def test_where_nothing_varies_the_interval_is_clopper_and_pearsons_for_the_rarer_class():
    balanced = evidence.gather(LABELS, np.arange(80), [Scored(RISING, 0.5)], replicates=50)["balanced_accuracy"].mean(
        [0]
    )
    share = stats.binomtest(15, 30).proportion_ci(0.95, "exact")
    assert (balanced.variance, balanced.degrees_of_freedom) == (0, 29)
    assert uncertainty.interval(balanced) == pytest.approx([share.low, share.high])


@pytest.mark.parametrize("span", [1.0, 2.0])
@pytest.mark.parametrize("difference", [0.0, 1e-14, 0.05, 0.2, 0.25, 0.3, 0.6, 0.98, 1.0, -0.2, -0.3, -1.0])
def test_the_p_value_of_a_difference_without_variance_agrees_with_its_interval(difference, span):
    estimate = gap(span * difference, 0.0, 0.0, 49)
    low, high = uncertainty.difference_interval(estimate, 0.0, span)
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
