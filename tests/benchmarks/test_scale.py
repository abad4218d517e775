import json

import pytest

from benchmarks import measure, scale
from benchmarks.measure import Measurement
from components.artifacts.names import REGIMES


def test_every_step_runs_through_its_command_line_at_every_number_of_images(tmp_path, monkeypatch, capsys):
    commands = []

    def run(arguments, on_line):
        commands.append(" ".join(map(str, arguments)))
        on_line("2026-01-31 I tensorflow: something")
        on_line(f"pneumonia-benchmark: {arguments[1]}: half done")
        return Measurement(2.0, 1234.56, "")

    monkeypatch.setattr(measure, "run", run)
    scale.main(["--images", "50", "100", "--epochs", "3", "--json", str(tmp_path / "out.json")])
    assert len(commands) == 2 * 6
    assert commands[0].startswith("-m components.ingest --source synthetic --synthetic-images 50 --synthetic-size 160")
    assert commands[1].startswith("-m components.preprocess ")
    for command, regime in zip(commands[2:6], REGIMES, strict=True):
        assert command.startswith("-m components.train ")
        assert f"prepared {regime} --output" in command
        assert command.endswith("--weights none --epochs 3 --patience 0 --seeds 1")
    assert "--synthetic-images 100" in commands[6]
    steps = json.loads((tmp_path / "out.json").read_text())["steps"]
    assert [(step["images"], step["step"]) for step in steps[:3]] == [
        (50, "ingest"),
        (50, "preprocess"),
        (50, "train custom_cnn"),
    ]
    printed = capsys.readouterr().out
    assert "components.ingest: half done" in printed
    assert "tensorflow" not in printed
    assert "scale: 100 images, train full_fine_tuning: 2.0 s, peak memory 1,235 MB" in printed
    table = [line.split() for line in printed.splitlines() if line.startswith("ingest")]
    assert table == [["ingest", "50", "2.0", "25", "1,235"], ["ingest", "100", "2.0", "50", "1,235"]]


@pytest.mark.slow
def test_the_real_steps_are_measured(tmp_path):
    words = ["--images", "60", "--image-size", "32", "--synthetic-size", "48", "--regimes", "custom_cnn"]
    scale.main([*words, "--json", str(tmp_path / "out.json")])
    steps = {step["step"]: step for step in json.loads((tmp_path / "out.json").read_text())["steps"]}
    assert list(steps) == ["ingest", "preprocess", "train custom_cnn"]
    for step in steps.values():
        assert step["seconds"] > 0.1
        assert step["peak_memory_mb"] > 30


@pytest.mark.medium
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "0"], "--images and --epochs must be 1 or more"),
        (
            ["--images", "9"],
            "components.ingest failed: python -m components.ingest: error: argument --synthetic-images: '9' is not",
        ),
    ],
)
def test_an_impossible_request_is_one_line(words, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        scale.main(words)
    error = capsys.readouterr().err
    assert error.startswith(f"pneumonia-benchmark: error: {message}")
    assert error.count("\n") == 1
