"""Costs of runs: a lasting slowdown rings, noise, single slow runs and tiny changes do not."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from components.gate import cost
from components.gate.cost import judge, replay, run_length, threshold


def values(runs, noise=0.05, seed=0):
    return 100 * np.exp(noise * np.random.default_rng(seed).normal(size=runs))


def slower(runs=40, begins=30, factor=1.2, **settings):
    found = values(runs, **settings)
    found[begins:] *= factor
    return found.tolist()


def test_a_slowdown_rings_soon_and_is_dated():
    found = replay(slower())
    rang = [place for place, own in enumerate(found) if own.alarm]
    assert 30 < rang[0] < 35
    first = found[rang[0]]
    assert first.since == 30
    assert first.expected == pytest.approx(100, rel=0.05)
    assert first.ratio == pytest.approx(first.value / first.expected)
    assert first.statistic > first.threshold
    assert not any(own.faster for own in found)


def test_a_lasting_slowdown_keeps_ringing_against_the_old_reference():
    found = replay(slower(60))
    rang = [place for place, own in enumerate(found) if own.alarm]
    assert len([place for place in rang if place >= 50]) >= 3
    last = found[rang[-1]]
    assert last.expected == pytest.approx(100, rel=0.05)
    # The sum starts from 0 after an alarm.
    after = found[rang[0] + 1]
    assert after.statistic <= cost.LARGEST - cost.ALLOWANCE


def test_judging_the_last_run_needs_only_the_values():
    series = slower()
    assert [judge(series[: place + 1]) for place in range(len(series))] == replay(series)


def test_the_first_runs_have_no_reference():
    first, second = replay([100.0, 300.0])
    assert (first.value, first.expected, first.runs) == (pytest.approx(100), pytest.approx(100), 0)
    assert (second.expected, second.statistic, second.runs) == (pytest.approx(100), 0, 1)
    assert not second.alarm


def test_the_third_run_is_compared_by_student_s_t():
    logs = np.array([0.0, 0.1, 0.4])
    t = (0.4 - 0.05) / (np.std([0.0, 0.1], ddof=1) * math.sqrt(1 + 1 / 2))
    expected = stats.norm.ppf(stats.t.cdf(t, 1)) - cost.ALLOWANCE
    assert expected > 0
    assert judge(np.exp(logs).tolist()).statistic == pytest.approx(expected)


def test_a_single_slow_run_neither_rings_nor_hides_a_slowdown():
    series = np.array(slower())
    series[20] *= 2
    found = replay(series.tolist())
    assert not any(own.alarm for own in found[:30])
    assert any(own.alarm for own in found[30:35])
    early = np.array(slower())
    early[1] *= 2
    assert any(own.alarm for own in replay(early.tolist())[30:35])


def test_memory_that_hardly_varies_rings_for_much_but_not_for_little():
    series = values(40, 0.0002)
    for factor, rings in ((1.001, False), (1.01, False), (1.05, True)):
        found = series.copy()
        found[30:] *= factor
        assert any(own.alarm for own in replay(found.tolist())) == rings
    assert not any(own.alarm or own.faster for own in replay([812.0] * 60))


def test_after_a_lasting_improvement_the_reference_starts_anew():
    series = slower(60, factor=1 / 1.3)
    found = replay(series)
    assert not any(own.alarm for own in found)
    place = next(place for place, own in enumerate(found) if own.faster)
    assert 30 < place < 36
    assert found[place].since == 30
    assert found[place + 1].runs == place + 1 - 30
    assert found[-1].expected == pytest.approx(100 / 1.3, rel=0.05)
    # Back at the old cost, it rings.
    back = [*series, *values(5, seed=1)]
    assert any(own.alarm for own in replay(back)[60:])


def test_the_run_length_is_that_of_simulated_sums():
    limit = 2.0
    random = np.random.default_rng(0)
    sums, alarms, steps, runs = np.zeros(5000), 0, 400, 5000
    for _ in range(steps):
        sums = np.maximum(0, sums + np.clip(random.normal(size=runs), -cost.LARGEST, cost.LARGEST) - cost.ALLOWANCE)
        alarms += int((sums > limit).sum())
        sums[sums > limit] = 0
    assert run_length(limit) == pytest.approx(steps * runs / alarms, rel=0.06)


def test_more_charts_have_higher_thresholds():
    assert run_length(threshold(1 / 4000)) == pytest.approx(4000, rel=0.01)
    one, eight = (judge(values(5).tolist(), charts).threshold for charts in (1, 8))
    assert eight == pytest.approx(threshold(0.8 / 8 / cost.RUNS_PER_ALARM))
    assert one < eight


@pytest.mark.medium
def test_false_alarms_of_eight_charts_are_at_most_one_in_500_runs():
    runs = 500
    alarms = sum(own.alarm for seed in range(80) for own in replay(values(runs, seed=seed).tolist()))
    # Five of 40,000 runs of a chart are expected, ten at most; three standard deviations more is 20.
    assert alarms <= 10 + 3 * math.sqrt(10)


def test_a_slowdown_of_20_percent_is_found_within_five_runs():
    found = [any(own.alarm for own in replay(slower(35, seed=seed))[30:]) for seed in range(100)]
    assert np.mean(found) >= 0.9


def test_what_is_found_can_be_stored_as_json():
    for own in replay(slower()):
        json.dumps(asdict(own), allow_nan=False)


def test_the_sentence_has_the_figures():
    found = next(own for own in replay(slower()) if own.alarm)
    text = cost.sentence("time", "full_fine_tuning", found, "2026-11-02")
    for part in ("Full fine-tuning", f"{found.ratio - 1:.0%} more training time", f"{found.runs} runs", "2026-11-02"):
        assert part in text
    assert "memory" in cost.sentence("memory", "custom_cnn", found, "x")


@pytest.mark.parametrize("begins", [5, 6])
def test_a_slowdown_among_the_first_runs_does_not_become_what_is_expected(begins):
    found = [any(own.alarm for own in replay(slower(begins + 20, begins, noise=0.02, seed=seed))) for seed in range(50)]
    assert np.mean(found) >= 0.8


def test_runs_that_waited_become_part_of_the_reference_when_the_sum_has_fallen():
    series = [*values(20, 0.02).tolist(), 103.7, 103.7, 103.7, *values(20, 0.02, seed=1).tolist()]
    found = replay(series)
    assert not any(own.alarm for own in found)
    waits = next(place for place in range(20, 24) if found[place].statistic > cost.HELD * found[place].threshold)
    assert found[waits].statistic > cost.HELD * found[waits].threshold
    assert found[waits + 1].runs == found[waits].runs
    assert found[-1].runs == len(series) - 1
    assert found[-1].statistic <= cost.HELD * found[-1].threshold


def test_only_a_run_above_what_is_expected_raises_the_sum():
    found = replay([*values(30, 0.02).tolist(), 130.0, 100.0])
    assert [own.raised for own in found[-2:]] == [True, False]
    assert found[-1].statistic > 0
