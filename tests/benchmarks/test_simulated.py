"""The simulated data sets have the values that are called true."""

import numpy as np
import pytest

from benchmarks import simulated
from benchmarks.simulated import Scenario, rows_of, separation, simulate, true_area, true_values
from components.compare.stats import resampling

LARGE = {"patients": 20_000, "validation_patients": 2000}


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("normal", **LARGE),
        Scenario("skewed", skewed=True, **LARGE),
        Scenario("shifted", shift=1.0, **LARGE),
    ],
    ids=lambda scenario: scenario.name,
)
def test_the_truth_is_what_very_many_patients_show(scenario):
    drawn = simulate(scenario, np.random.default_rng(1))
    for model, auc in zip(drawn.models, scenario.aucs, strict=True):
        found = resampling.point_metrics(drawn.test.labels, model.scores, model.threshold)
        expected = true_area(separation(auc, scenario.skewed), scenario.skewed, scenario.shift)
        assert found["roc_auc"] == pytest.approx(expected, abs=0.004)
        if not scenario.shift:
            assert expected == pytest.approx(auc, abs=1e-6)


def test_the_truth_of_a_metric_with_a_threshold_is_the_mean_over_validation_sets(monkeypatch):
    monkeypatch.setattr(simulated, "TRAININGS", 300)
    scenario = Scenario("small", patients=2000, validation_patients=60, more_images=0.0)
    truth = true_values(scenario)
    found = [
        [resampling.point_metrics(drawn.test.labels, model.scores, model.threshold) for model in drawn.models]
        for drawn in (simulate(scenario, np.random.default_rng(seed)) for seed in range(60))
    ]
    for place in range(2):
        for metric in ("accuracy", "precision", "roc_auc"):
            mean = np.mean([own[place][metric] for own in found])
            assert mean == pytest.approx(truth[metric][place], abs=0.012), metric


def test_trainings_that_differ_have_the_mean_of_their_areas(monkeypatch):
    monkeypatch.setattr(simulated, "TRAININGS", 300)
    alike, apart = Scenario("alike", (0.95,), 50, 50), Scenario("apart", (0.95,), 50, 50, seed_spread=0.6)
    assert true_values(alike)["roc_auc"] == pytest.approx([0.95])
    assert true_values(apart)["roc_auc"][0] < 0.945


def test_each_regime_has_the_rows_of_its_seeds():
    scenario = Scenario("three", (0.9, 0.95), 60, 60, seeds=3)
    assert rows_of(scenario) == {"regime 0": [0, 1, 2], "regime 1": [3, 4, 5]}
    assert len(simulate(scenario, np.random.default_rng(0)).models) == 6


def test_skewed_noise_has_mean_0_variance_1_and_its_tail_below():
    noise = simulated._noise(200_000, True, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.var() == pytest.approx(1, abs=0.02)
    assert np.mean((noise - noise.mean()) ** 3) < -1
