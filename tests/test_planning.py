"""What a test set of a given size can show: power, and the number of patients for it."""

import numpy as np
import pytest
from scipy.stats import norm

from components import planning


def test_the_power_of_noninferiority_is_the_share_of_samples_whose_upper_limit_lies_below_the_margin():
    observed = np.random.default_rng(1).normal(0.002, 0.004, 200_000)
    shown = np.mean(observed + norm.isf(0.025) * 0.004 < 0.01)
    assert planning.power_of_noninferiority(0.002, 0.01, 0.004, 0.025) == pytest.approx(shown, abs=0.004)


def test_the_power_at_the_margin_is_the_error_rate():
    assert planning.power_of_noninferiority(0.01, 0.01, 0.004, 0.025) == pytest.approx(0.025)


@pytest.mark.parametrize(("loss", "power"), [(0.0, 1.0), (0.01, 0.0), (0.02, 0.0)])
def test_without_sampling_error_the_truth_is_shown(loss, power):
    assert planning.power_of_noninferiority(loss, 0.01, 0.0, 0.025) == power


@pytest.mark.parametrize(("loss", "power"), [(0.0, 0.8), (0.003, 0.9), (-0.002, 0.6)])
def test_with_as_many_patients_as_the_factor_says_the_power_is_reached(loss, power):
    factor = planning.factor_for_power(0.01, 0.012, 0.025, power, loss)
    assert planning.power_of_noninferiority(loss, 0.01, 0.012 / factor**0.5, 0.025) == pytest.approx(power)


def test_the_number_of_patients_grows_with_the_variance():
    once, twice = (planning.factor_for_power(0.01, error, 0.025) for error in (0.006, 0.012))
    assert once == pytest.approx((1.959964 + 0.841621) ** 2 * 0.36, rel=1e-5)
    assert twice == pytest.approx(4 * once)


def test_no_number_of_patients_shows_a_loss_below_the_margin_where_it_is_not():
    assert planning.factor_for_power(0.01, 0.004, 0.025, true_loss=0.01) == float("inf")


@pytest.mark.parametrize("level", [0, 1, 5])
def test_a_level_in_per_cent_is_refused(level):
    with pytest.raises(ValueError, match=f"level is {level}, but must lie between 0 and 1"):
        planning.power_of_noninferiority(0.0, 0.01, 0.004, level)
