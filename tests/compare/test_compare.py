"""The step from end to end: its files, its copies, its errors."""

import json

import pytest

from components.compare import inputs, results
from components.compare.compare import compare
from components.compare.report import plots
from components.compare.report.notes import notes
from components.compare.stats import resampling
from components.console import UserError


def test_no_evaluation_is_an_error(write, tmp_path):
    with pytest.raises(UserError, match="pass at least one"):
        compare([], write.summary(), tmp_path / "out")


def test_nothing_is_left_behind_after_an_error(write, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 50)
    monkeypatch.setattr("components.compare.report.plots.draw", lambda *_: 1 / 0)
    folders = write.evaluations(["custom_cnn"])
    with pytest.raises(ZeroDivisionError):
        compare(folders, write.summary(), tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_negative_price_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="price of a GPU hour is -1"):
        compare(write.evaluations(["custom_cnn"]), write.summary(), tmp_path / "out", gpu_hour_price=-1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prevalence": 1.5}, "prevalence is 1.5, but must be a number from 0 to 0.999"),
        ({"prevalence": -0.1}, "prevalence is -0.1"),
        ({"prevalence": 0.1, "harm_ratio": -4}, "harm_ratio is -4"),
        ({"harm_ratio": 4.0}, "--harm-ratio has no effect without a prevalence"),
    ],
)
def test_a_prevalence_or_harm_ratio_that_makes_no_sense_is_refused(write, tmp_path, values, message):
    with pytest.raises(UserError, match=message):
        compare(write.evaluations(["custom_cnn"]), write.summary(), tmp_path / "out", **values)


def test_at_a_prevalence_the_comparison_has_the_section_in_every_file(write, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 50)
    own = {name: plots.FROM_FINDINGS[name] for name in ("decision_curves", "risks")}
    monkeypatch.setattr(plots, "FROM_FINDINGS", own)
    monkeypatch.setattr(plots, "FROM_INPUTS", {})
    out = tmp_path / "out"
    found = compare(write.evaluations(["custom_cnn"]), write.summary(), out, prevalence=0.1, harm_ratio=4.0)
    assert (found["clinical_use"]["prevalence"], found["clinical_use"]["harm_ratio"]) == (0.1, 4.0)
    assert found["made_by"]["arguments"] | {"prevalence": 0.1, "harm_ratio": 4.0} == found["made_by"]["arguments"]
    assert json.loads((out / "results.json").read_text())["clinical_use"] == found["clinical_use"]
    assert '<h2 id="clinical">Clinical use at a prevalence of 10%</h2>' in (out / "report.html").read_text()
    assert "## Clinical use at a prevalence of 10%" in (out / "summary.md").read_text()
    assert (out / "decision_curves.png").exists()
    assert (out / "risks.png").exists()


@pytest.mark.usefixtures("no_plots")
def test_a_prevalence_needs_no_harm_ratio(write, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 50)
    found = compare(write.evaluations(["custom_cnn"]), write.summary(), tmp_path / "out", prevalence=0.3)
    assert (found["clinical_use"]["prevalence"], found["clinical_use"]["harm_ratio"]) == (0.3, None)


def test_kubeflow_gets_the_report_and_the_summary_as_single_files(compared):
    assert compared.html.read_bytes() == (compared.folder / "report.html").read_bytes()
    assert compared.markdown.read_bytes() == (compared.folder / "summary.md").read_bytes()
    assert {path.name for path in compared.html.parent.iterdir()} == {"report-copy.html", "summary-copy.md"}


def test_the_comparison_has_the_table_of_all_images(compared):
    summary = compared.folder.parent / "summary"
    assert (compared.folder / "images.csv").read_bytes() == (summary / "images.csv").read_bytes()


@pytest.mark.usefixtures("no_plots")
def test_a_summary_of_an_earlier_version_without_the_table_is_compared(write, tmp_path, monkeypatch):
    monkeypatch.setattr(resampling, "REPLICATES", 50)
    summary = write.summary()
    (summary / "images.csv").unlink()
    compare(write.evaluations(["custom_cnn"]), summary, tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()
    assert not (tmp_path / "out" / "images.csv").exists()


@pytest.mark.usefixtures("no_plots")
def test_what_came_from_a_cache_is_reported_unless_the_start_is_unknown(write, tmp_path):
    evaluations = write.evaluations(["custom_cnn", "full_fine_tuning"])
    training = evaluations[1] / "evaluation.json"
    content = json.loads(training.read_text())
    content["training"]["made_by"]["finished"] = "2020-01-01T00:00:00Z"
    training.write_text(json.dumps(content))
    summary = write.summary()
    given = inputs.load(evaluations, summary)
    for run_started, expected in (
        ("2999-01-01T00:00:00", ["dataset", "custom_cnn", "full_fine_tuning"]),
        ("2020-01-01T00:00:00Z", []),
        ("{{$.pipeline_job_create_time_utc}}", []),
        ("", []),
    ):
        assert results.from_cache(given, run_started) == expected
    found = compare(evaluations, summary, tmp_path / "out", run_started="2020-01-01T00:00:01Z")
    assert found["run"]["from_cache"] == ["full_fine_tuning"]
    assert "continued: the training of Full fine-tuning." in (tmp_path / "out" / "report.html").read_text()
    found["run"]["from_cache"] = ["dataset"]
    assert "The prepared dataset was made before this run was started or continued." in notes(found, given)
