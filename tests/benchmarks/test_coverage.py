"""The intervals have their nominal coverage, and permuted labels rarely give a significant difference."""

import json

import numpy as np
import pytest

from benchmarks import coverage
from components.compare.stats import resampling


def test_the_truth_is_what_very_many_patients_show():
    scenario = coverage.Scenario("large", 20_000, 20_000, 0.5, 1, (2.2, 3.2))
    drawn = coverage.simulate(scenario, np.random.default_rng(1))
    for model, auc, accuracy in zip(drawn.models, drawn.true_auc, drawn.true_accuracy, strict=True):
        found = resampling.point_metrics(drawn.labels, model.scores, 0.5)
        assert found["roc_auc"] == pytest.approx(auc, abs=0.004)
        assert found["accuracy"] == pytest.approx(accuracy, abs=0.006)


def test_the_truth_over_seeds_is_the_mean_over_very_many_trainings():
    scenario = coverage.Scenario("many", 5, 5, 0.0, 2, (2.2,), seed_spread=0.6)
    drawn = coverage.simulate(scenario, np.random.default_rng(1))
    single = coverage.Scenario("single", 5, 5, 0.0, 1, (2.2,), seed_spread=0.6)
    truths = [coverage.simulate(single, np.random.default_rng(seed)) for seed in range(3000)]
    assert np.mean([truth.true_auc for truth in truths]) == pytest.approx(drawn.true_auc[0], abs=0.003)
    assert np.mean([truth.true_accuracy for truth in truths]) == pytest.approx(drawn.true_accuracy[0], abs=0.004)


def test_the_command_prints_and_stores_the_share_of_every_outcome(tmp_path, monkeypatch, capsys):
    small = coverage.Scenario("small", 20, 30, 0.5, 2)
    monkeypatch.setattr(coverage, "SCENARIOS", (small,))
    monkeypatch.setattr(coverage, "BEYOND", ())
    monkeypatch.setattr(coverage, "NULL_SCENARIOS", (small,))
    coverage.main(["--repetitions", "6", "--workers", "1", "--json", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert set(found["coverage"]["small"]) == {
        *("ROC AUC", "accuracy", "difference in ROC AUC", "difference in accuracy"),
    }
    assert set(found["called_different"]["small"]) == {"roc_auc", "accuracy", "f1", "brier"}
    printed = capsys.readouterr().out
    assert f"{100 * found['coverage']['small']['accuracy']:.1f}%" in printed
    assert coverage.shares(coverage.covered, small, 6) == found["coverage"]["small"]


def test_too_few_repetitions_are_refused(capsys):
    with pytest.raises(SystemExit):
        coverage.main(["--repetitions", "0"])
    assert "must be 1 or more" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("scenario", coverage.SCENARIOS, ids=lambda scenario: scenario.name)
def test_intervals_cover_the_truth_in_93_to_97_of_100_test_sets(scenario):
    found = coverage.shares(coverage.covered, scenario, 400)
    # A share of 400 may be 2.2 points (two standard errors) from what it would be of very many.
    assert all(0.93 - 0.022 <= share <= 0.97 + 0.022 for share in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("scenario", coverage.NULL_SCENARIOS, ids=lambda scenario: scenario.name)
def test_permuted_labels_are_called_different_in_at_most_5_of_100_data_sets(scenario):
    found = coverage.shares(coverage.called_different, scenario, 400)
    assert all(share <= 0.05 + 0.022 for share in found.values()), found
