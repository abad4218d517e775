"""The pages that a recording leaves: in the history, in a file, in the report."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import names
from components.gate.verdict import Verdict
from components.record.content import Origin
from components.record.pages import Pages
from components.record.record import record
from components.trend import page, shown
from tests.record.conftest import Recorded, write_run

pytestmark = pytest.mark.medium


def artifact(recorded, run, name, folder):
    """The text of a file that was recorded with a run."""
    folder.mkdir(exist_ok=True)
    return Path(recorded.client.download_artifacts(run, f"comparison/{name}", str(folder))).read_text()


def recorded_as(recorded, run, **pages):
    origin = Origin(**json.loads((run / "run.json").read_text())["origin"])
    return record(run / "comparison", recorded.uri, origin, attempts=1, pages=Pages(**pages))


def history_of(report):
    """The section of a report that says how the run compares with earlier ones."""
    return report.partition('<section id="history"')[2].partition("</section>")[0]


@pytest.fixture
def two_runs(tmp_path):
    return [write_run(tmp_path / "runs" / name, name, seeds=(1,)) for name in ("20260131-120000", "20260207-120000")]


def test_each_run_has_the_page_of_all_runs_so_far_and_a_report_with_its_verdict(recorded, two_runs, tmp_path):
    ids = [recorded_as(recorded, run) for run in two_runs]
    first, second = (artifact(recorded, run, "trend.html", tmp_path / run) for run in ids)
    assert "20260131-120000" in first
    assert "20260207-120000" not in first
    assert "The first run: there is nothing to compare it with yet." in first
    assert "No alarm in the last run; none in 2 runs." in second
    reports = [history_of(artifact(recorded, run, "report.html", tmp_path / run)) for run in ids]
    assert "No alarm. The first run on these data" in reports[0]
    assert "Compared with the champion 20260131-120000 on the same test images" in reports[1]
    # What compare made stays as it is: on a cluster it is the output of another step.
    for run in two_runs:
        assert 'section id="history" hidden></section>' in (run / "comparison" / "report.html").read_text()
        assert not (run.parent / "trend.html").exists()


def test_a_file_and_the_own_report_get_the_pages_too_where_asked(recorded, two_runs):
    trend = two_runs[0].parent / "trend.html"
    for run in two_runs:
        recorded_as(recorded, run, trend=trend, in_place=True)
    assert "No alarm in the last run; none in 2 runs." in trend.read_text()
    report = (two_runs[1] / "comparison" / "report.html").read_text()
    assert "Compared with the champion 20260131-120000" in history_of(report)
    assert report.count("Compared with the champion") == 1
    HTMLParser().feed(report)
    assert sorted(path.name for path in trend.parent.iterdir() if path.name.startswith((".t", "t"))) == ["trend.html"]


def test_recording_again_writes_the_same_pages_again(recorded, two_runs):
    trend = two_runs[0].parent / "trend.html"
    for _ in range(2):
        for run in two_runs:
            recorded_as(recorded, run, trend=trend, in_place=True)
    report = (two_runs[0] / "comparison" / "report.html").read_text()
    assert report.count("The first run on these data") == 1
    assert "none in 2 runs." in trend.read_text()


def test_a_page_that_cannot_be_written_costs_the_recording_nothing(recorded, made, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("components.record.pages.shown.of", lambda _: 1 / 0)
    run = recorded_as(recorded, made, trend=tmp_path / "trend.html")
    assert "the page of the runs over time could not be written: ZeroDivisionError" in capsys.readouterr().out
    assert recorded.history.verdict(next(own for own in recorded.history.runs() if own.id == run))
    assert not (tmp_path / "trend.html").exists()


@pytest.mark.parametrize("content", ['{"alarms": [{"new": "field"}]}', "damaged"])
def test_a_verdict_that_is_not_understood_is_shown_as_none(recorded, made, monkeypatch, content):
    monkeypatch.setattr(Verdict, "to_json", lambda _: content)
    recorded_as(recorded, made)
    assert "recorded without a verdict" in page.page(shown.of(recorded.history))


def test_costs_machine_and_recipe_are_those_of_the_models(recorded, made):
    run = recorded_as(recorded, made)
    (found,) = shown.of(recorded.history)
    models = recorded.history.all_models()[run]
    for regime in ("custom_cnn", "transfer_learning"):
        own = [model for model in models if model.regime == regime]
        assert len(own) == 3
        assert found.costs[regime]["memory"] == pytest.approx(np.mean([m.metrics["peak_memory_mb"] for m in own]))
        each = [1 / model.metrics["images_per_second"] for model in own]
        assert found.costs[regime]["time"] == pytest.approx(np.mean(each))
        assert (found.recipes[regime], found.hardware[regime]) == (own[0].recipe, own[0].hardware)
    assert set(found.costs) == {"custom_cnn", "transfer_learning"}
    assert found.count("images") == sum(int(found.run.parameters[f"{s}_images"]) for s in names.SPLITS)


def test_verdicts_are_read_from_a_folder_with_a_blank_in_its_name(empty_database, made, tmp_path):
    folder = tmp_path / "all runs"
    folder.mkdir()
    shutil.copyfile(empty_database, folder / "mlflow.db")
    recorded = Recorded(f"sqlite:///{folder}/mlflow.db")
    recorded_as(recorded, made)
    (found,) = shown.of(recorded.history)
    assert found.verdict == Verdict.from_json((next(folder.rglob("verdict.json"))).read_text())
    next(folder.rglob("verdict.json")).unlink()
    assert shown.of(recorded.history)[0].verdict is None


def test_a_server_gives_the_same_pages(on_server, two_runs, tmp_path):
    for run in two_runs:
        recorded_as(on_server, run, trend=tmp_path / "trend.html")
    assert [bool(one.verdict) for one in shown.of(on_server.history)] == [True, True]
    assert "No alarm in the last run; none in 2 runs." in (tmp_path / "trend.html").read_text()
