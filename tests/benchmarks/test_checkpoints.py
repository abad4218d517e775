"""The benchmark of checkpoints: what it runs, and what it makes of the records."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import checkpoints, measure


@pytest.fixture
def commands(monkeypatch):
    """Stands in for trainings, which take 10 s, and 11 s with checkpoints; gives their commands."""
    found = []

    def run(words):
        found.append([str(word) for word in words])
        return measure.Measurement(11.0 if "--checkpoints" in found[-1] else 10.0, 1.0, "")

    record = {"cost": {"train_seconds": 4.0}, "checkpoint_seconds": 0.1}
    monkeypatch.setattr(measure, "run", run)
    monkeypatch.setattr(checkpoints.trained_model, "load_all", lambda _: [SimpleNamespace(training=record)] * 2)
    return found


def test_trainings_with_and_without_checkpoints_take_turns_with_the_same_options(commands):
    found = checkpoints.compared(Path("data"), "custom_cnn", ["--epochs", "3"], 2)
    assert ["--checkpoints" in command for command in commands] == [False, True, False, True]
    assert all(command[:4] == ["-m", "components.train", "data", "custom_cnn"] for command in commands)
    assert all(command[command.index("--epochs") + 1] == "3" for command in commands)
    assert len({command[command.index("--output") + 1] for command in commands}) == 4
    assert found["without_seconds"] == [10.0, 10.0]
    assert found["with_seconds"] == [11.0, 11.0]
    assert found["share"] == pytest.approx(0.2 / 8)


@pytest.mark.usefixtures("commands")
def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    checkpoints.main(
        ["data", "--repetitions", "1", "--regimes", "full_fine_tuning", "--json", str(tmp_path / "c.json")]
    )
    assert "full_fine_tuning               10.00    11.00         8.00       0.20              2.50%" in (
        capsys.readouterr().out
    )
    assert json.loads((tmp_path / "c.json").read_text())["regimes"]["full_fine_tuning"]["share"] == pytest.approx(0.025)


def test_no_repetitions_are_refused(capsys):
    with pytest.raises(SystemExit):
        checkpoints.main(["data", "--repetitions", "0"])
    assert "give 1 or more" in capsys.readouterr().err
