"""Intervals of predictive values and net benefit have their nominal coverage."""

import json

import numpy as np
import pytest

from benchmarks import clinical_coverage
from benchmarks.clinical_coverage import Scenario, coverage


def test_very_many_patients_show_the_true_rates():
    random = np.random.default_rng(1)
    right = clinical_coverage._right(random, 100_000, np.array([0.9, 0.6]))
    assert right.mean(axis=1) == pytest.approx([0.9, 0.6], abs=0.005)
    assert np.corrcoef(right)[0, 1] > 0.2


def test_the_covariance_between_seeds_is_that_of_the_patients():
    right = np.array([[True, True, False, True], [True, False, False, True]])
    found = clinical_coverage._estimates([right, right])
    assert found["recall"].values == pytest.approx([0.75, 0.5])
    assert found["recall"].covariance == pytest.approx(np.array([[3, 2], [2, 4]]) / 64)
    assert found["balanced_accuracy"].covariance == pytest.approx(np.array([[3, 2], [2, 4]]) / 128)


def test_the_truth_is_the_worked_example():
    truth = clinical_coverage._true_values(clinical_coverage.SCENARIOS[0])
    assert truth["PPV"] == pytest.approx(0.155, abs=0.0005)
    assert truth["NPV"] == pytest.approx(0.996, abs=0.0005)
    assert truth["net benefit"] == pytest.approx(-0.036, abs=0.0005)


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_intervals_contain_the_truth_in_about_95_of_100_test_sets(spread):
    seeds = 3 if spread else 1
    found = coverage(Scenario("", 160, 107, 0.95, 0.9, 0.1, seeds, spread), 500)
    # Three standard errors of 500 test sets are 2.9 points.
    assert all(0.95 - 0.029 <= share <= 0.97 + 0.023 for share in found.values()), found


def test_the_command_prints_and_stores_every_scenario(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clinical_coverage, "SCENARIOS", (Scenario("small", 30, 20, 0.9, 0.8, 0.1),))
    clinical_coverage.main(["--repetitions", "8", "--json", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())["coverage"]["small"]
    assert set(found) == {"PPV", "NPV", "net benefit"}
    assert f"{100 * found['PPV']:.1f}%" in capsys.readouterr().out


def test_too_few_repetitions_are_refused(capsys):
    with pytest.raises(SystemExit):
        clinical_coverage.main(["--repetitions", "0"])
    assert "must be 1 or more" in capsys.readouterr().err
