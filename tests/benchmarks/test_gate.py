"""The simulation of the gate's false alarms and power."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import gate, gate_series, gate_years
from benchmarks.gate_series import Change, Noise
from benchmarks.gate_years import Line, Plan
from components import roc_auc
from components.gate import cost


def test_the_simulated_trainings_have_the_expected_roc_auc():
    line = Line(Plan("large", 0.95, images=20_000, seeds=2, spread=0.0, loss=0.02), np.random.default_rng(0))
    before, after = (line.areas(line.run(week)) for week in (1, gate_years.PLANTED))
    assert np.mean(list(before.values())) == pytest.approx(0.95, abs=0.005)
    assert np.mean(before["custom_cnn"]) - np.mean(after["custom_cnn"]) == pytest.approx(0.02, abs=0.004)
    scores = line.run(1)
    expected = roc_auc.covariance_of_areas(line.labels, line.patients, scores["custom_cnn"])[0]
    assert line.areas(scores)["custom_cnn"] == pytest.approx(expected.tolist())


def test_an_upgrade_changes_what_is_hard_and_bad_trainings_are_worse():
    line = Line(Plan("x", upgrade=True, spread=0.0), np.random.default_rng(0))

    def hard(week):
        return np.mean(np.concatenate(list(line.run(week).values())), axis=0)

    same = np.corrcoef(hard(8), hard(9))[0, 1]
    assert np.corrcoef(hard(9), hard(gate_years.UPGRADED))[0, 1] < same
    bad = Line(Plan("bad", bad=1.0, spread=0.0), np.random.default_rng(0))
    assert np.mean(list(bad.areas(bad.run(1)).values())) < 0.93


def test_a_large_loss_is_found_and_a_year_without_change_is_quiet():
    plan = Plan("x", images=200, loss=0.2)
    found = gate_years.with_loss(plan, 2, 0)
    assert found == {"within 1": [1, 1], "within 5": [1, 1], "not non-inferior": [1, 1]}
    assert gate_years.without_change(replace(plan, loss=0.0, images=100, seeds=1), 1, 0)["alarm"] == [0]
    # The loss comes in run 30, not before.
    rang = [own["custom_cnn"].worse for own in gate_years.year(plan, 0, weeks=32)]
    assert rang == [False] * 29 + [True] * 2


def test_the_champion_is_the_first_run_until_one_is_better():
    values = [own["custom_cnn"].champion for own in gate_years.year(Plan("x", images=100, seeds=1), 0, weeks=6)]
    assert len(set(values)) == 1


def test_noise_is_as_described():
    random = np.random.default_rng(0)
    plain = gate_series.series(Noise("x", 0.05), 20_000, random)
    assert plain.std() == pytest.approx(0.05, rel=0.02)
    tied = gate_series.series(Noise("x", 0.05, memory=0.3), 20_000, random)
    assert np.corrcoef(tied[1:], tied[:-1])[0, 1] == pytest.approx(0.3, abs=0.03)
    assert tied.std() == pytest.approx(0.05, rel=0.03)
    assert np.mean(gate_series.series(Noise("x", 0.05, busy=0.1), 20_000, random) > 0.4) == pytest.approx(0.1, rel=0.1)
    heavy = gate_series.series(Noise("x", 0.05, heavy=True), 20_000, random)
    assert np.mean(np.abs(heavy) > 0.2) > 5 * np.mean(np.abs(plain) > 0.2)


def test_a_shift_of_the_added_images_is_found():
    found = gate_series.data_with_change(Change("x", weekly=40, brightness=2.0), 1, 0)
    assert found == {"within 1": [1.0], "within 5": [1.0]}


def test_false_alarms_are_counted_for_500_runs_of_all_charts(monkeypatch):
    found = [SimpleNamespace(alarm=place < 3) for place in range(50)]
    monkeypatch.setattr(cost, "replay", lambda *_: found)
    assert gate_series.false_alarms(Noise("x", 0.05), 50, 20, 0) == (3 * 500 * 8 / 50, 0.0)


@pytest.mark.slow
def test_the_command_prints_and_stores_every_scenario(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gate, "UNCHANGED", (Plan("plain", images=100, seeds=1),))
    monkeypatch.setattr(gate, "LOSSES", (Plan("loss", images=100, loss=0.1),))
    monkeypatch.setattr(gate, "NOISES", gate.NOISES[1:2])
    monkeypatch.setattr(gate, "SLOWDOWNS", gate.SLOWDOWNS[1:2])
    monkeypatch.setattr(gate, "CHANGES", gate.CHANGES[1:2])
    monkeypatch.setattr(gate_series, "WEEKS", 4)
    gate.main(["--quick", "--output", str(tmp_path / "out.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["arguments"] == {"years": 1, "seed": 0}
    assert len(found["tables"]) == 6
    printed = capsys.readouterr().out
    for title, rows in found["tables"].items():
        assert title in printed
        assert all(name in printed for name in rows)


def test_a_part_can_be_simulated_alone(monkeypatch, capsys):
    monkeypatch.setattr(gate, "NOISES", gate.NOISES[:1])
    monkeypatch.setattr(gate, "SLOWDOWNS", gate.SLOWDOWNS[:1])
    gate.main(["--only", "cost", "--years", "1"])
    printed = capsys.readouterr().out
    assert "Cost: " in printed
    assert "Quality: " not in printed


def test_shares_have_their_standard_error():
    assert gate.shares({"a": [0.0, 1.0, 1.0, 1.0]})["a"] == (0.75, pytest.approx(np.sqrt(0.7 * 0.3 / 4)))
    assert gate.shares({"a": [0.0] * 99})["a"][1] > 0


def test_too_few_years_are_refused(capsys):
    with pytest.raises(SystemExit):
        gate.main(["--years", "0"])
    assert "must be 1 or more" in capsys.readouterr().err
