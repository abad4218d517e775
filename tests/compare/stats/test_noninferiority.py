"""Which candidates are shown to be about as good as every other one, and the power to show it."""

import math

import numpy as np
import pytest
from scipy import stats

from components.compare.stats import noninferiority, uncertainty
from components.compare.stats.noninferiority import MARGIN, against_all, patients_needed
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


def test_power_and_patients_follow_from_the_standard_error():
    pair = judged([0.95, 0.95, 0.90], error=0.01)["pairs"][0]
    assert pair["power"] == pytest.approx(stats.norm.cdf(MARGIN / 0.01 - stats.norm.isf(0.025)))
    needed = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2 * 400
    assert pair["patients_needed"] == math.ceil(needed)


def test_patients_do_not_reduce_what_differs_between_seeds():
    alone = patients_needed(0.0001, 0.0, 0.025)
    assert patients_needed(0.0001, 0.000005, 0.025) > alone
    assert patients_needed(0.0001, 0.00009, 0.025) == math.inf
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
