"""Known answers of label budgets."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import label_budgets
from benchmarks.label_budgets import FLAT, STEEP, Scenario, outcomes, shares, simulate, true_accuracy, true_value
from components.compare.stats import budgets
from components.compare.stats import label_budgets as stats

SMALL = Scenario("small", images=150, draws=3)


@pytest.mark.medium
def test_the_means_of_very_many_draws_and_images_are_the_true_values():
    scenario = Scenario("large", (STEEP,), draws=150, images=4000, seeds=40, spread=0.2)
    trainings = simulate(scenario, np.random.default_rng(0))
    areas, accuracies = budgets.areas(trainings), budgets.accuracies(trainings)
    for condition in trainings.conditions:
        rows = list(condition.rows)
        assert areas.values[rows].mean() == pytest.approx(true_value(STEEP, condition.patients), abs=0.012)
        expected = true_accuracy(scenario, STEEP, condition.patients)
        assert accuracies.values[rows].mean() == pytest.approx(expected, abs=0.015)


@pytest.mark.medium
def test_curves_are_recovered_from_many_draws_and_images():
    scenario = Scenario("large", (STEEP, FLAT), draws=40, images=6000, seeds=20, more_images=0.0)
    found = stats.on_test_set(simulate(scenario, np.random.default_rng(1)), 4000, 1000)
    curve = found["regimes"]["regime 0"]["curve"]
    assert curve["a"] == pytest.approx(STEEP[0], abs=0.01)
    assert curve["c"] == pytest.approx(STEEP[2], abs=0.15)
    forecast = found["regimes"]["regime 0"]["doubling"]["roc_auc"]["value"]
    assert forecast == pytest.approx(true_value(STEEP, 4000), abs=0.008)
    crossing = found["pairs"][0]["crossing"]
    assert crossing["patients"] == pytest.approx(label_budgets.true_crossing(scenario), rel=0.25)


def test_greater_budgets_have_the_patients_of_smaller_ones():
    draws = label_budgets._draws(replace(SMALL, draws=4000, patients=800), np.random.default_rng(0))
    # The mean of n of 800 patients has n-th the variance, and the correlation of nested means is the root of the ratio.
    assert draws.std(axis=0)[0] == pytest.approx(0.15 * np.sqrt(750 / 799), rel=0.05)
    assert np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] == pytest.approx(np.sqrt((50 * 700) / (100 * 750)), abs=0.05)
    assert draws[:, -1] == pytest.approx(np.zeros(4000), abs=1e-9)


@pytest.mark.slow
def test_intervals_bands_and_forecasts_contain_the_truth_in_about_95_of_100_runs():
    found = shares(Scenario("5 draws, 600 test images"), 60)
    # Three standard errors of a share of 120 (60 runs of two regimes) are 6 points.
    for name in ("AUC, smallest", "AUC, largest", "AUC, all", "accuracy", "band", "forecast", "gain"):
        assert found[name] >= 0.95 - 0.065, (name, found)
    assert found["differences"] >= 0.95 - 0.085
    assert found["wrongly ahead"] <= 0.05 + 0.085
    assert found["curve"] > 0.8


def test_equal_regimes_do_not_cross_anywhere():
    found = outcomes(replace(SMALL, curves=(FLAT, FLAT)), 0)
    assert found["crossing"] == []
    assert label_budgets.true_crossing(replace(SMALL, curves=(FLAT, FLAT))) is None
    assert true_value(STEEP, label_budgets.true_crossing(SMALL)) == pytest.approx(
        true_value(FLAT, label_budgets.true_crossing(SMALL))
    )


def test_the_command_prints_and_stores_every_scenario(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(label_budgets, "SCENARIOS", (SMALL,))
    label_budgets.main(["--repetitions", "3", "--json", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())["coverage"]["small"]
    assert found["forecast error"] is not None
    printed = capsys.readouterr().out
    assert f"{100 * found['accuracy']:.1f}%" in printed
    assert f"small: {found['forecast error']:+.4f}" in printed


def test_too_few_repetitions_are_refused(capsys):
    with pytest.raises(SystemExit):
        label_budgets.main(["--repetitions", "0"])
    assert "must be 1 or more" in capsys.readouterr().err
