"""The folder of a new run, and the latest run."""

import re
from datetime import datetime

import pytest

from components.console import UserError
from pipelines import runs


def test_the_latest_run_is_the_one_that_the_link_points_to(tmp_path):
    assert runs.latest(tmp_path) == tmp_path / "latest"
    for name in ("a", "b"):
        (tmp_path / name / "comparison").mkdir(parents=True)
        (tmp_path / name / "comparison" / "results.json").write_text("{}")
    assert runs.latest(tmp_path) == tmp_path / "b"
    runs.point_to(tmp_path / "latest", tmp_path / "a")
    assert runs.latest(tmp_path).resolve() == (tmp_path / "a").resolve()


def test_the_latest_run_is_pointed_to_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        runs.point_to(tmp_path / "latest", tmp_path / name)
        assert (tmp_path / "latest").resolve() == (tmp_path / name).resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]


def test_a_file_of_the_links_name_is_not_replaced(tmp_path):
    (tmp_path / "latest").write_text("notes")
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="latest exists and is not a link: rename it"):
        runs.point_to(tmp_path / "latest", tmp_path / "a")
    assert (tmp_path / "latest").read_text() == "notes"


def test_two_runs_of_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    class Clock:
        @staticmethod
        def now():
            return datetime(2026, 11, 23, 10, 15)

    monkeypatch.setattr(runs, "datetime", Clock)
    first, second = runs.new_folder(tmp_path / "runs"), runs.new_folder(tmp_path / "runs")
    assert first.name == "20261123-101500"
    assert re.fullmatch(r"20261123-101500-[0-9a-f]{4}", second.name)
    assert first.is_dir()
    assert second.is_dir()
