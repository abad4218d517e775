"""Distances of score distributions and the best threshold on the test images."""

import numpy as np
import pytest

from components.compare.stats import shift


def test_identical_samples_have_the_distance_0_and_disjoint_ones_1():
    scores = np.linspace(0.1, 0.4, 30)
    assert shift.distance(scores, scores) == 0
    assert shift.distance(scores, np.repeat(scores, 2)) == 0
    assert shift.distance(scores, scores + 0.5) == 1


def test_the_distance_is_the_largest_gap_between_the_cumulative_shares():
    assert shift.distance(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.1, 0.2, 0.8, 0.9])) == pytest.approx(0.5)


def test_the_best_youdens_j_is_that_of_the_best_threshold_on_these_images():
    labels, scores = np.array([0, 0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.7, 0.6, 0.8])
    assert shift.best_youden(labels, scores) == pytest.approx(0.75)
    assert shift.best_youden(labels, labels.astype(float)) == 1
