"""Who is ahead with how many labelled patients, and where two regimes change places."""

from dataclasses import replace

import numpy as np
import pytest

from components.compare.stats import budgets, crossing
from components.compare.stats.crossing import Gap, between
from tests.compare.stats.test_budgets import make_trainings, means_of

NUMBERS = (50, 100, 200, 400)


def make_gaps(ahead, differences=None):
    """Differences of "a" and "b"; `ahead` names who is shown to be ahead with each number of patients."""
    values = differences or [{"a": 0.03, "b": -0.03, None: 0.001}[side] for side in ahead]
    return [
        {"patients": patients, "difference": value, "ci95": [0, 0], "ahead": side}
        for patients, value, side in zip(NUMBERS, values, ahead, strict=True)
    ]


def make_line(values, spread=0.004, count=2000):
    """A gap by straight lines between values, with samples that differ by a common shift."""
    numbers = np.array(NUMBERS, float)
    shifts = spread * np.random.default_rng(0).normal(size=(count, 1))
    values = np.array(values)
    return Gap(between(numbers, values[None]), between(numbers, values + shifts), False)


def test_identical_regimes_differ_by_zero_and_none_is_ahead():
    trainings = make_trainings(same=True)
    found = means_of(trainings)
    made = budgets.shifted(found.values, budgets.deviations(found, 4000))
    gaps = crossing.differences(found, made, budgets.areas(trainings))["a", "b"]
    assert [gap["patients"] for gap in gaps] == [50, 100, 400]
    for gap in gaps:
        assert gap["difference"] == pytest.approx(0, abs=1e-12)
        assert gap["ahead"] is None
        assert gap["ci95"][0] < 0 < gap["ci95"][1]


def test_intervals_hold_together_and_are_no_wider_than_needed():
    trainings = make_trainings(regimes=("a", "b", "c", "d"), spread=0.5)
    found = means_of(trainings)
    made = budgets.shifted(found.values, budgets.deviations(found, 20_000))
    gaps = crossing.differences(found, made, budgets.areas(trainings))
    assert len(gaps) == 6
    places = {(own.regime, own.patients): place for place, own in enumerate(found.conditions)}
    inside = np.ones(len(made), bool)
    for (a, b), own in gaps.items():
        for gap in own[:2]:
            sample = made[:, places[a, gap["patients"]]] - made[:, places[b, gap["patients"]]]
            low, high = gap["ci95"]
            inside &= (sample >= low) & (sample <= high)
    assert inside.mean() == pytest.approx(0.95, abs=0.003)


def test_differences_with_all_patients_are_those_of_the_comparison():
    trainings = make_trainings(spread=0.1)
    areas = budgets.areas(trainings)
    found = means_of(trainings)
    made = budgets.shifted(found.values, budgets.deviations(found, 2000))
    last = crossing.differences(found, made, areas)["a", "b"][-1]
    rows = [own.rows for own in found.conditions if own.whole]
    expected = areas.difference(*rows)
    assert last["difference"] == pytest.approx(expected.value)
    assert last["ci95"] == crossing.uncertainty.difference_interval(expected)


def test_a_regime_with_other_budgets_is_compared_where_both_have_some():
    trainings = make_trainings()
    conditions = [replace(own, patients=60) if own == trainings.conditions[3] else own for own in trainings.conditions]
    trainings = replace(trainings, conditions=tuple(conditions))
    found = means_of(trainings)
    made = budgets.shifted(found.values, budgets.deviations(found, 500))
    gaps = crossing.differences(found, made, budgets.areas(trainings))["a", "b"]
    assert [gap["patients"] for gap in gaps] == [100, 400]


def test_a_crossing_is_where_the_lines_meet():
    found = crossing.crossing("a", make_gaps(["a", None, "b", "b"]), [make_line([0.03, 0.01, -0.01, -0.03])])
    assert (found["first"], found["second"], found["up_to"], found["starting_at"]) == ("a", "b", 50, 200)
    assert found["patients"] == pytest.approx(np.sqrt(100 * 200), rel=1e-3)
    low, high = found["ci95"]
    # 1.96 x 0.004 is 0.39 of the way between two numbers of patients, on the logarithmic axis.
    assert np.log2(found["patients"] / low) == pytest.approx(0.39, abs=0.03)
    assert np.log2(high / found["patients"]) == pytest.approx(0.39, abs=0.03)
    assert found["from_curves"] is False


def test_the_first_regime_may_be_the_second_of_the_pair():
    found = crossing.crossing("a", make_gaps(["b", None, None, "a"]), [make_line([-0.03, -0.01, 0.01, 0.03])])
    assert (found["first"], found["second"]) == ("b", "a")
    assert found["patients"] == pytest.approx(np.sqrt(100 * 200), rel=1e-3)


@pytest.mark.parametrize(
    "ahead", [[None] * 4, ["a", "a", None, None], [None, None, "b", "b"], ["a", "b", "a", "b"], ["a", "b", "b", "a"]]
)
def test_a_crossing_that_is_not_shown_or_not_single_is_not_claimed(ahead):
    assert crossing.crossing("a", make_gaps(ahead), [make_line([0.03, 0.01, -0.01, -0.03])]) is None


def test_an_end_beyond_the_numbers_that_were_tried_is_open():
    wide = make_line([0.03, 0.01, -0.01, -0.03], spread=0.02)
    assert crossing.crossing("a", make_gaps(["a", None, "b", "b"]), [wide])["ci95"] == [None, None]


def test_curves_are_taken_first_and_lines_where_they_do_not_cross():
    never = replace(make_line([0.03, 0.02, 0.01, 0.01]), from_curves=True)
    lines = make_line([0.03, 0.01, -0.01, -0.03])
    found = crossing.crossing("a", make_gaps(["a", None, "b", "b"]), [never, lines])
    assert found["from_curves"] is False
    found = crossing.crossing("a", make_gaps(["a", None, "b", "b"]), [replace(lines, from_curves=True), lines])
    assert found["from_curves"] is True


def test_lines_pass_through_the_means():
    at = between(np.array(NUMBERS, float), np.array([[0.8, 0.9, 0.95, 0.97]]))
    assert at(np.array(NUMBERS, float))[0] == pytest.approx([0.8, 0.9, 0.95, 0.97])
    assert at(np.array([np.sqrt(50 * 100)]))[0] == pytest.approx([0.85])
