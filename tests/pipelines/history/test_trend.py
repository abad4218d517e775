"""The command writes the page of runs over time at any time."""

import json

import pytest

from pipelines.history import command
from tests.record.conftest import *  # noqa: F403 (its fixtures)

pytestmark = pytest.mark.medium


@pytest.fixture
def filled(recorded, made, later):
    """A history with two runs; its file is in the folder of all runs."""
    for run in (made, later):
        recorded.record(run)
    return recorded


@pytest.mark.usefixtures("filled")
def test_the_page_is_written_into_the_folder_of_all_runs(tmp_path, capsys):
    capsys.readouterr()
    command.main(["--output", str(tmp_path / "runs"), "trend"])
    file = tmp_path / "runs" / "trend.html"
    assert capsys.readouterr().out == f"2 runs over time: {file}\n"
    assert "No alarm in the last run; none in 2 runs." in file.read_text()


def test_who_promotes_a_run_finds_it_as_the_champion_on_the_page(filled, tmp_path):
    file, words = tmp_path / "runs" / "trend.html", ["--output", str(tmp_path / "runs")]
    command.main([*words, "promote", "20260207-120000"])
    assert not file.exists(), "who has no page does not get one"
    command.main([*words, "trend"])
    before = file.read_text()
    command.main([*words, "promote", "20260131-120000", "--tracking-uri", filled.uri])
    assert file.read_text() == before, "it may be the page of another history"
    command.main([*words, "promote", "20260207-120000"])
    between = file.read_text()
    command.main([*words, "promote", "20260131-120000"])
    after = file.read_text()
    command.main([*words, "trend"])
    assert file.read_text() == after != between


@pytest.mark.usefixtures("filled")
def test_a_page_that_cannot_be_renewed_hides_no_promotion(tmp_path, capsys, monkeypatch):
    words = ["--output", str(tmp_path / "runs")]
    command.main([*words, "trend"])

    def fails(*_):
        raise OSError("no space left")

    monkeypatch.setattr(command.files, "write_text", fails)
    capsys.readouterr()
    command.main([*words, "promote", "20260131-120000", "--json"])
    said = capsys.readouterr()
    assert set(json.loads(said.out)) == {"champion", "before"}
    assert "trend.html does not show it yet" in said.err
    assert "run python -m pipelines.history trend" in said.err


def test_the_page_is_written_where_asked_in_place_of_an_older_one(filled, tmp_path, capsys):
    file = tmp_path / "pages" / "page.html"
    file.parent.mkdir()
    file.write_text("older")
    capsys.readouterr()
    command.main(["trend", str(file), "--tracking-uri", filled.uri, "--json"])
    assert json.loads(capsys.readouterr().out) == {"file": str(file), "runs": 2}
    assert "20260207-120000" in file.read_text()
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_in_place_of_a_file_is_one_line(filled, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["trend", str(tmp_path), "--tracking-uri", filled.uri])
    assert ended.value.code == 2
    assert f"{tmp_path} is a folder: give the name of a file, such as {tmp_path}/trend.html" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["file/page.html", "file/below/page.html", f"{'x' * 250}.html"])
def test_a_place_where_no_file_can_be_is_one_line(filled, tmp_path, capsys, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        command.main(["trend", str(tmp_path / name), "--tracking-uri", filled.uri])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / name} cannot be written (" in said
    assert "): give the name of another file\n" in said
