"""A finished run is recorded; whatever becomes of that, the run has succeeded."""

import contextlib
import json
import os
import sqlite3
import sys

import pytest

from components.artifacts import files
from components.tracking import places, server
from components.tracking.history import History
from pipelines.local import command, process, recording, resume
from pipelines.local.process import Job
from pipelines.local.recording import Outcome
from pipelines.settings import Settings
from tests.pipelines.local.test_command import NOT_TRAINED, executing, prints, write_comparison
from tests.record.conftest import write_run

PLAIN = {"tracking_uri": "", "register": "", "no_record": False}
PLAIN |= {"on_regression": "warn", "runs_per_year": 52.0, "confirm_regressions": False}


@pytest.fixture(autouse=True)
def no_history_of_the_user(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "20260131-120000", seeds=(1,))


def recorded(folder, log, **options):
    with log.open("a") as file:
        recording.record(folder, PLAIN | options, file)


@pytest.mark.slow
@pytest.mark.usefixtures("recording_for_real")
def test_the_default_is_a_file_in_the_folder_of_all_runs(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(finished.parent.parent)
    recorded(finished, tmp_path / "log", register="pneumonia")
    said = capsys.readouterr()
    assert said.err == ""
    uri = f"sqlite:///{finished.parent}/mlflow.db"
    assert said.out.splitlines()[-1] == f"20260131-120000 is recorded in {uri}"
    (run,) = History(server.reading(places.read(uri), print)).runs()
    assert run.name == "20260131-120000"
    assert run.registered == {"name": "pneumonia", "version": "1"}
    assert run.tags["pneumonia_benchmark.train_image"] == "r/train:1-b"
    assert "is recorded in" in (tmp_path / "log").read_text()


@pytest.mark.medium
@pytest.mark.usefixtures("recording_for_real")
@pytest.mark.parametrize("how", ["file", "crash"])
def test_a_recording_that_fails_is_one_line_with_the_remedy(finished, tmp_path, capsys, monkeypatch, how):
    (tmp_path / "file").write_text("no database" * 100)
    if how == "crash":
        monkeypatch.setattr(sys, "executable", "/bin/false")
    recorded(finished, tmp_path / "log", tracking_uri=f"sqlite:///{tmp_path}/file")
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("the run is complete but not recorded: ")
    assert ("is not a SQLite database" if how == "file" else "see the end of") in line
    again = f"python -m components.record {os.path.relpath(finished)} --tracking-uri sqlite:///{tmp_path}/file"
    assert line.endswith(
        again.replace(os.path.relpath(finished), min(os.path.relpath(finished), str(finished), key=len))
    )


@pytest.mark.slow
@pytest.mark.usefixtures("recording_for_real")
def test_a_run_that_is_recorded_but_not_registered_says_so(finished, tmp_path, capsys):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    recorded(finished, tmp_path / "log", tracking_uri=uri)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON registered_models BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    capsys.readouterr()
    recorded(finished, tmp_path / "log", tracking_uri=uri, register="pneumonia")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the run is complete and recorded, but not registered: the history {uri}")
    assert "; then register it with: python -m components.record " in line
    assert line.endswith(f" --tracking-uri {uri} --register pneumonia")


def test_what_the_command_line_says_comes_before_the_environment(monkeypatch, tmp_path):
    assert recording._place(PLAIN, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://from-environment")
    assert recording._place(PLAIN, tmp_path) == "https://from-environment"
    assert recording._place(PLAIN | {"tracking_uri": "https://given"}, tmp_path) == "https://given"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tracking-uri", "mlruns"], "MLflow has retired the folder store"),
        (["--tracking-uri", "https://someone:geheim@host"], "holds a user, a password or a token"),
        (["--tracking-uri", "https://host", "--no-record"], "--tracking-uri has no effect beside --no-record"),
        (["--register", "a'b"], "--register \"a'b\" is not understood: give a name without / : ' and blanks"),
        (["--register", "a b"], "--register 'a b' is not understood"),
        (["--register", "name", "--no-record"], "--register has no effect beside --no-record"),
        (["--on-regression", "fail", "--no-record"], "--on-regression has no effect beside --no-record"),
        (["--runs-per-year", "nan", "--no-record"], "--runs-per-year has no effect beside --no-record"),
        (["--confirm-regressions", "--no-record"], "--confirm-regressions has no effect beside --no-record"),
        (["--runs-per-year", "0"], "--runs-per-year 0 is not understood: give a number from 1 to 8784"),
    ],
)
def test_mistakes_are_named_before_anything_runs(words, message, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main([*words, "--output", str(tmp_path / "runs")])
    said = capsys.readouterr()
    assert message in said.err
    assert "geheim" not in said.err
    assert not (tmp_path / "runs").exists()


def test_a_password_in_the_environment_is_refused_and_stored_nowhere(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://someone:geheim@host")
    with pytest.raises(SystemExit, match="2"):
        command.main(["--output", str(tmp_path / "runs")])
    assert "geheim" not in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_is_recorded_after_its_report_and_again_after_it_was_continued(
    tmp_path, monkeypatch, capsys, not_recorded
):
    def started(job, log):  # noqa: ARG001
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "started", started)
    with pytest.raises(SystemExit, match="130"):
        command.main(["--output", str(tmp_path), "--tracking-uri", "https://host", "--register", "pneumonia"])
    assert not_recorded == []
    (folder,) = tmp_path.iterdir()
    origin = json.loads((folder / "run.json").read_text())["origin"]
    assert len(origin["identity"]) == 32
    assert "pneumonia-benchmark-data:" in origin["data_image"]

    content = json.loads((folder / "run.json").read_text())
    files.write_json(folder / "run.json", content | {"origin": origin | {"data_image": "old", "train_image": "old"}})
    prints(monkeypatch, executing("compare"), executing("check"))
    write_comparison(folder)
    command.main(["--resume", str(folder)])
    ((recorded_folder, options),) = not_recorded
    assert recorded_folder == folder.resolve()
    assert (options["tracking_uri"], options["register"], options["no_record"]) == ("https://host", "pneumonia", False)
    assert json.loads((folder / "run.json").read_text())["origin"] == origin, "the same run, with the code of today"
    assert "report: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "uri"),
    [
        ([], "sqlite:///{here}/runs/mlflow.db"),
        (["--tracking-uri", "sqlite:///own.db"], "sqlite:///{here}/own.db"),
        (["--no-record"], ""),
    ],
)
def test_a_continued_run_is_recorded_where_it_was_to_be_when_it_began(tmp_path, monkeypatch, not_recorded, words, uri):
    prints(monkeypatch, executing("train"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        command.main([*words, "--output", "runs"])
    (folder,) = (tmp_path / "runs").iterdir()

    prints(monkeypatch, executing("compare"), executing("check"))
    write_comparison(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://another")
    command.main(["--resume", str(folder)])
    ((_, options),) = not_recorded
    assert options["tracking_uri"] == uri.format(here=tmp_path)
    assert options["no_record"] == ("--no-record" in words)


def test_a_failed_step_is_not_recorded(tmp_path, monkeypatch, not_recorded):
    prints(monkeypatch, executing("train"))
    with pytest.raises(SystemExit, match="2"):
        command.main(["--output", str(tmp_path)])
    assert not_recorded == []


@pytest.mark.usefixtures("recording_for_real")
def test_no_record_means_no_record(tmp_path, finished, capsys):
    before = sorted(finished.parent.iterdir())
    recorded(finished, tmp_path / "log", no_record=True, tracking_uri=f"sqlite:///{tmp_path}/history.db")
    assert capsys.readouterr() == ("", "")
    assert sorted(finished.parent.iterdir()) == before
    assert not (tmp_path / "history.db").exists()


def test_the_job_itself_knows_no_history(tmp_path):
    """So that containers need no access to it."""
    assert Job(tmp_path, {}, Settings()).settings.tracking_uri == ""
    assert set(recording.OPTIONS) < set(resume.OPTIONS)


def outcomes(monkeypatch, *found):
    """Makes the recordings of a command end so; gives the options of each."""
    left, asked = list(found), []

    def record(folder, options, _):
        asked.append((folder, dict(options)))
        return left.pop(0)

    monkeypatch.setattr(recording, "record", record)
    return asked


def running(monkeypatch, **more):
    """Makes each run of a command write a comparison."""

    def started(job, _):
        write_comparison(job.folder, **more)
        return contextlib.nullcontext([executing("compare"), executing("check"), *([NOT_TRAINED] if more else [])])

    monkeypatch.setattr(process, "started", started)


def test_an_alarm_that_fails_the_run_gives_exit_code_4(tmp_path, monkeypatch):
    running(monkeypatch)
    outcomes(monkeypatch, Outcome(regressed=True))
    with pytest.raises(SystemExit, match="4"):
        command.main(["--output", str(tmp_path), "--on-regression", "fail"])


def test_a_suspicion_starts_one_run_with_other_seeds_and_the_same_options(tmp_path, monkeypatch, capsys):
    running(monkeypatch)
    asked = outcomes(monkeypatch, Outcome(suspected=True), Outcome(suspected=True))
    words = ["--confirm-regressions", "--seed", "5", "--seeds", "2", "--epochs", "7", "--tracking-uri", "https://host"]
    command.main(["--output", str(tmp_path), *words])
    (first, before), (second, after) = asked
    assert first != second
    contents = [json.loads((folder / "run.json").read_text()) for folder in (first, second)]
    assert [content["parameters"]["seed"] for content in contents] == [5, 7]
    different = {name for name in before if before[name] != after[name]}
    assert different == {"seed", "command", "confirming"}
    assert contents[0]["options"] == contents[1]["options"]
    assert [content["confirming"] for content in contents] == [False, True]
    assert contents[1]["command"] == [*contents[0]["command"], "--seed", "7"]
    assert contents[0]["origin"]["identity"] != contents[1]["origin"]["identity"]
    assert "a run with other seeds follows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Outcome(suspected=True), Outcome(regressed=True)),
        (Outcome(suspected=True, regressed=True), Outcome()),
        (Outcome(suspected=True, regressed=True), Outcome(suspected=True)),
    ],
)
def test_an_alarm_of_either_run_is_the_exit_code(tmp_path, monkeypatch, first, second):
    running(monkeypatch)
    outcomes(monkeypatch, first, second)
    with pytest.raises(SystemExit, match="4"):
        command.main(["--output", str(tmp_path), "--confirm-regressions"])


def test_a_confirming_run_that_is_continued_starts_no_other(tmp_path, monkeypatch):
    running(monkeypatch)
    started, left = process.started, [False, True]

    def stopping(job, log):
        if left and left.pop(0):
            raise KeyboardInterrupt
        return started(job, log)

    monkeypatch.setattr(process, "started", stopping)
    asked = outcomes(monkeypatch, Outcome(suspected=True), Outcome(suspected=True))
    with pytest.raises(SystemExit, match="130"):
        command.main(["--output", str(tmp_path), "--confirm-regressions"])
    (confirming,) = {path for path in tmp_path.glob("*-*") if not path.is_symlink()} - {asked[0][0]}
    command.main(["--resume", str(confirming)])
    assert [folder for folder, _ in asked] == [asked[0][0], confirming]


def test_the_run_that_confirms_a_continued_one_has_the_command_of_that(tmp_path, monkeypatch):
    running(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(process, "started", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(sys, "argv", ["local", "--seeds", "2"])
        with pytest.raises(SystemExit, match="130"):
            command.main(["--output", str(tmp_path), "--seeds", "2"])
    (folder,) = tmp_path.iterdir()
    monkeypatch.setattr(sys, "argv", ["local", "--resume", str(folder)])
    asked = outcomes(monkeypatch, Outcome(suspected=True), Outcome())
    command.main(["--resume", str(folder)])
    content = json.loads((asked[1][0] / "run.json").read_text())
    assert content["command"] == ["local", "--seeds", "2", "--seed", str(content["parameters"]["seed"])]


def failing(tmp_path, said="", error="", code=4):
    """A program in the place of the recording."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nprintf '{said}'\nprintf '{error}' >&2\nexit {code}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.usefixtures("recording_for_real")
def test_the_exit_code_and_the_lines_of_the_recording_tell_the_outcome(tmp_path, finished, monkeypatch, capsys):
    said = "pneumonia-benchmark: record: it is recorded\\n"
    error = "pneumonia-benchmark: error: regression: worse\\n"
    monkeypatch.setattr(sys, "executable", failing(tmp_path, said, error))
    with (tmp_path / "log").open("a") as log:
        assert recording.record(finished, PLAIN, log) == Outcome(regressed=True)
    assert capsys.readouterr() == ("it is recorded\n", "pneumonia-benchmark: error: regression: worse\n")
    said = "pneumonia-benchmark: record: suspected, and not confirmed yet: worse\\n"
    monkeypatch.setattr(sys, "executable", failing(tmp_path, said, "", 0))
    with (tmp_path / "log").open("a") as log:
        assert recording.record(finished, PLAIN, log) == Outcome(suspected=True)


def test_the_options_of_the_gate_are_passed_on_where_they_are_not_the_defaults():
    assert recording._gate_words(PLAIN) == []
    own = {"on_regression": "fail", "runs_per_year": 12.0, "confirm_regressions": True}
    assert recording._gate_words(PLAIN | own) == [
        *("--on-regression", "fail", "--runs-per-year", "12", "--confirm-regressions"),
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("recording_for_real")
def test_the_folder_of_all_runs_gets_the_page_over_time_and_the_report_the_verdict(tmp_path, capsys):
    run = write_run(tmp_path / "runs" / "20260131-120000", seeds=(1,))
    recorded(run, tmp_path / "log")
    page = run.parent / "trend.html"
    assert f"all runs over time: {page}" in capsys.readouterr().out.splitlines()
    assert "20260131-120000" in page.read_text()
    assert "The first run on these data" in (run / "comparison" / "report.html").read_text()
