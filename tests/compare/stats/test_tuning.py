"""Whether the order of regimes depends on the learning rate: reversals that are there, and those that may be chance."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from components.compare.stats import tuning
from components.compare.stats.uncertainty import CONFIDENCE, Estimate, difference_interval

LABELS = np.arange(400) % 2
PATIENTS = np.arange(400) // 2 * 2 + LABELS


def scores(separation, seed):
    return separation * LABELS + np.random.default_rng(seed).normal(size=400)


def test_the_estimate_is_the_roc_auc_of_each_training():
    rows = np.stack([scores(1, 0), scores(2, 1)])
    found = tuning.estimate(LABELS, PATIENTS, rows)
    assert found.values == pytest.approx([roc_auc_score(LABELS, row) for row in rows])
    assert found.degrees_of_freedom == 199


def rows_of(*regimes):
    """Two seeds of each regime with each of two multiples."""
    rows, all_scores = {}, []
    for number, separations in enumerate(regimes):
        rows[f"regime {number}"] = {}
        for multiple, separation in zip((0.3, 3.0), separations, strict=True):
            rows[f"regime {number}"][multiple] = [len(all_scores), len(all_scores) + 1]
            all_scores += [scores(separation, 10 * number), scores(separation, 10 * number + 1)]
    return tuning.estimate(LABELS, PATIENTS, np.stack(all_scores)), rows


def test_a_clear_reversal_is_shown_with_both_differences():
    found, rows = rows_of((1.0, 3.0), (2.0, 2.0))
    assert tuning.orders(found, rows) == {0.3: ["regime 1", "regime 0"], 3.0: ["regime 0", "regime 1"]}
    (pair,) = tuning.reversals(found, rows)
    assert (pair["a"], pair["b"], pair["multiples"], pair["shown"]) == ("regime 0", "regime 1", [3.0, 0.3], True)
    for multiple, difference in zip(pair["multiples"], pair["differences"], strict=True):
        expected = found.values[rows["regime 0"][multiple]].mean() - found.values[rows["regime 1"][multiple]].mean()
        assert difference["value"] == pytest.approx(expected)
        low, high = difference["ci95"]
        assert low < difference["value"] < high
        assert low * high > 0


def test_the_same_order_everywhere_is_no_reversal():
    assert tuning.reversals(*rows_of((1.0, 1.2), (2.0, 2.2))) == []


def test_one_of_two_differences_that_is_shown_does_not_show_a_reversal():
    found, rows = rows_of((1.0, 2.05), (2.0, 2.0))
    found = Estimate(found.values + np.array([0, 0, 0.01, 0.01, 0, 0, 0, 0]), found.covariance, 199)
    (pair,) = tuning.reversals(found, rows)
    assert pair["differences"][1]["ci95"][1] < 0
    assert not pair["shown"]


def test_what_is_shown_is_corrected_for_the_number_of_pairs_and_multiples():
    """Two differences of which 95% intervals just exclude 0, in opposite directions."""
    values, variance = np.array([0.9, 0.8, 0.8, 0.9]), 0.0
    rows = {"a": {0.3: [0], 3.0: [1]}, "b": {0.3: [2], 3.0: [3]}}
    for variance in np.geomspace(1e-4, 1e-2, 400):
        found = Estimate(values, np.eye(4) * variance, 199)
        if difference_interval(found.difference([0], [2]))[0] < 0.002:
            break
    assert difference_interval(found.difference([0], [2]), confidence=CONFIDENCE)[0] > 0
    (pair,) = tuning.reversals(found, rows)
    assert not pair["shown"]
    assert tuning.reversals(Estimate(values, np.eye(4) * variance / 2, 199), rows)[0]["shown"]


def test_only_multiples_that_both_have_are_compared():
    found, rows = rows_of((1.0, 3.0), (2.0, 2.0))
    del rows["regime 1"][3.0]
    assert tuning.reversals(found, rows) == []
    assert list(tuning.orders(found, rows)) == [0.3]
    assert tuning.orders(found, {}) == {}
