"""The exact test of accuracy against the binomial distribution and against every sign in turn."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from components.compare.stats.mcnemar import exact_p_value


def answers(only_a, only_b, both=5):
    """Whether a and b are correct on each image, given the numbers on which one or both are."""
    a = np.r_[np.ones(only_a), np.zeros(only_b), np.ones(both)].astype(bool)
    b = np.r_[np.zeros(only_a), np.ones(only_b), np.ones(both)].astype(bool)
    return a, b


@pytest.mark.parametrize(("only_a", "only_b"), [(1, 9), (0, 6), (7, 7), (30, 12), (3, 0), (0, 0), (121, 59)])
def test_one_image_per_patient_gives_mcnemars_exact_test(only_a, only_b):
    a, b = answers(only_a, only_b)
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert exact_p_value(a, b, np.arange(len(a))) == pytest.approx(expected)


def test_all_images_of_a_patient_change_sides_together():
    random = np.random.default_rng(0)
    patients = random.integers(12, size=40)
    a, b = random.random(40) < 0.8, random.random(40) < 0.4
    gaps = [int(a[patients == name].sum()) - int(b[patients == name].sum()) for name in range(12)]
    sums = [
        abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True))) for signs in product((-1, 1), repeat=12)
    ]
    assert exact_p_value(a, b, patients) == pytest.approx(np.mean(np.array(sums) >= abs(sum(gaps))))


def test_copies_of_one_patients_images_are_not_further_evidence():
    a, b = answers(8, 0)
    assert exact_p_value(a, b, np.arange(13)) < 0.01
    assert exact_p_value(a, b, np.zeros(13)) == 1
