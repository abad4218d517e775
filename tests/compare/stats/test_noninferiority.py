"""Which candidates are shown to be about as good as every other one, and the power to show it."""

import math

import numpy as np
import pytest
from scipy import stats

from components.compare.stats import noninferiority, uncertainty
from components.compare.stats.noninferiority import MARGIN, against_all, patients_factor, unseen_patients
from components.compare.stats.uncertainty import Estimate

ROWS = {"a": [0], "b": [1], "c": [2]}


def judged(aucs, error=0.002, rows=ROWS):
    """Independent estimates with this standard error of each difference, from very many patients."""
    variance = error**2 / 2
    return against_all(Estimate(np.array(aucs), variance * np.eye(len(aucs)), 100_000), rows, 400)


def test_only_a_candidate_that_is_shown_to_be_close_to_every_other_one_is_good_enough():
    assert judged([0.95, 0.95, 0.95])["shown"] == ["a", "b", "c"]
    assert judged([0.95, 0.95, 0.93])["shown"] == ["a", "b"]
    assert judged([0.950, 0.942, 0.934])["shown"] == ["a"]
    assert judged([0.95, 0.95, 0.95], error=0.02)["shown"] == []


def test_the_level_is_shared_by_all_candidates_but_one():
    found = judged([0.95, 0.95, 0.95])
    assert found["level"] == pytest.approx(0.025)
    assert (found["margin"], found["candidates"]) == (MARGIN, ["a", "b", "c"])
    pair = found["pairs"][0]
    assert (pair["candidate"], pair["other"]) == ("a", "b")
    assert pair["upper_bound"] == pytest.approx(stats.norm.isf(0.025) * 0.002, rel=0.05)


def test_a_loss_is_that_of_the_candidate_against_the_other():
    losses = {(pair["candidate"], pair["other"]): pair["loss"] for pair in judged([0.95, 0.90, 0.85])["pairs"]}
    assert losses["c", "a"] == pytest.approx(0.10)
    assert losses["a", "c"] == pytest.approx(-0.10)
    assert len(losses) == 6


def test_a_candidate_alone_is_good_enough():
    assert judged([0.9], rows={"a": [0]}) == {
        "margin": MARGIN, "level": 0.05, "candidates": ["a"], "shown": ["a"], "pairs": []
    }  # fmt: skip


@pytest.mark.parametrize("error", [0.003, 0.006, 0.01])
def test_the_power_is_the_share_of_equal_candidates_whose_bound_lies_within_the_margin(error):
    pair = judged([0.95, 0.95, 0.90], error)["pairs"][0]
    losses = np.random.default_rng(0).normal(0, error, 200_000)
    shown = np.mean(losses + pair["upper_bound"] <= MARGIN)
    assert pair["power"] == pytest.approx(shown, abs=0.004)


def test_with_as_many_patients_as_are_needed_the_power_is_80_percent():
    needed = judged([0.5, 0.5, 0.4], error=0.01)["pairs"][0]["patients_needed"]
    # In the middle of the range bounds are symmetric, and shrink with the standard error.
    pair = judged([0.5, 0.5, 0.4], error=0.01 * math.sqrt(400 / needed))["pairs"][0]
    assert pair["power"] == pytest.approx(0.8, abs=0.01)
    assert pair["patients_needed"] == pytest.approx(400, abs=10)


def test_patients_do_not_reduce_what_differs_between_seeds():
    alone = patients_factor(0.0001, 0.0, 0.02)
    assert alone == pytest.approx(((0.02 + stats.norm.ppf(0.8) * 0.01) / MARGIN) ** 2)
    assert patients_factor(0.0001, 0.000005, 0.02) > alone
    assert patients_factor(0.0001, 0.00009, 0.02) == math.inf
    spread = Estimate(np.array([0.95, 0.99, 0.94, 0.98]), 1e-6 * np.eye(4), 100)
    pairs = against_all(spread, {"a": [0, 1], "b": [2, 3]}, 400)["pairs"]
    assert [pair["patients_needed"] for pair in pairs] == [None, None]


def test_two_regimes_that_never_differ_are_judged_by_what_could_have_been_missed():
    few, many = (Estimate(np.array([1.0, 1.0]), np.zeros((2, 2)), freedom) for freedom in (49, 4999))
    found = [against_all(estimate, {"a": [0], "b": [1]}, 100) for estimate in (few, many)]
    assert [own["shown"] for own in found] == [[], ["a", "b"]]
    assert found[0]["pairs"][0]["upper_bound"] == pytest.approx(
        uncertainty.unseen(few.mean([0]), 1 - 2 * noninferiority.ERROR_RATE)
    )
    # With 298 patients of the rarer class, six times as many as these, no mistake in any of them would be enough.
    assert unseen_patients(0.05) == pytest.approx(298.07, abs=0.01)
    assert found[0]["pairs"][0]["patients_needed"] == math.ceil(298.07 / 50 * 100)
    assert found[0]["pairs"][0]["power"] == 0
