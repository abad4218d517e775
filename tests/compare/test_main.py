"""The command line: `python -m components.compare`."""

import json
import re

import pytest

from components.compare.__main__ import main


def test_the_command_line_ends_with_one_plain_line(write, tmp_path, capsys):
    folder = write.evaluation("custom_cnn", fingerprint="cd" * 32)
    with pytest.raises(SystemExit) as stopped:
        main([str(folder), "--dataset", str(write.summary()), "--output", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m components.compare evaluations/custom_cnn" in capsys.readouterr().out


def test_the_command_line_takes_two_runs_and_prints_the_differences(make_run, tmp_path, capsys):
    main([str(make_run("a")), str(make_run("b")), "--output", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert re.search(r"Custom CNN +ROC AUC", printed)
    assert json.loads((tmp_path / "out" / "results.json").read_text())["kind"] == "comparison of runs"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<h1>") == 1
    assert "http:" not in page
    assert "<script" not in page


@pytest.mark.parametrize("number", [1, 3])
def test_other_numbers_of_runs_are_refused(make_run, tmp_path, capsys, number):
    with pytest.raises(SystemExit):
        main([*(str(make_run(f"run-{place}")) for place in range(number)), "--output", str(tmp_path / "out")])
    assert "two at a time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_evaluations_without_the_summary_of_their_dataset_are_refused(write, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(write.evaluation("custom_cnn")), "--output", str(tmp_path / "out")])
    assert "add --dataset" in capsys.readouterr().err
