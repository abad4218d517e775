"""Reliability diagrams."""

import numpy as np
import pytest
from scipy import stats

from components.compare.stats.calibration import reliability, wilson


@pytest.mark.parametrize(("hits", "number"), [(0, 7), (3, 10), (9, 9), (40, 250)])
def test_intervals_of_shares_are_wilsons(hits, number):
    expected = stats.binomtest(hits, number).proportion_ci(method="wilson")
    assert wilson(hits / number, number) == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_each_bin_has_its_mean_score_and_share():
    labels = np.array([0, 1, 1, 0, 0])
    first, second, third = reliability(labels, [np.array([0.01, 0.05, 0.5, 0.98, 1.0])])
    assert (first["score"], first["pneumonia"], first["images"]) == (pytest.approx(0.03), 0.5, 2)
    assert (second["score"], second["pneumonia"], second["images"]) == (0.5, 1.0, 1)
    assert (third["score"], third["pneumonia"], third["images"]) == (pytest.approx(0.99), 0.0, 2)
    assert first["pneumonia_ci95"] == wilson(0.5, 2)


def test_several_seeds_are_pooled_but_each_image_counts_once_for_the_interval():
    labels = np.array([0, 1, 1, 1])
    scores = np.full(4, 0.5)
    (once,), (thrice,) = reliability(labels, [scores]), reliability(labels, [scores] * 3)
    assert thrice == once | {"images": 12}
