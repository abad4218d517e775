"""Histories that cannot be opened, each in one line; MLflow's own server; temporary errors."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from components.artifacts import files
from components.console import UserError
from components.record.content import Benchmark, Origin
from components.retries import TransientError
from components.tracking import names, places, server
from tests.record.conftest import Recorded, free_port, write_run

PROJECT = Path(__file__).parents[2]


def opened(file):
    with server.writing(places.read(f"sqlite:///{file}"), print, 1):
        pass


def refused(file, message):
    with pytest.raises(UserError, match=message) as error:
        opened(file)
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value) or str(file.parent) in str(error.value)


def test_a_file_that_is_no_database_is_refused_at_once_and_kept(tmp_path):
    (tmp_path / "notes.txt").write_text("mine " * 100)
    refused(tmp_path / "notes.txt", "is not a SQLite database, or damaged")
    assert (tmp_path / "notes.txt").read_text() == "mine " * 100


def test_a_database_of_another_program_is_refused_and_kept(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE experiments (name TEXT)")
    refused(tmp_path / "other.db", "is a database of another program, not a history: choose another file")


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 1", "CREATE TABLE alembic_version (version_num TEXT)"])
def test_a_database_without_a_version_is_another_programs(tmp_path, statement):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute(statement)
    assert (tmp_path / "other.db").stat().st_size > 0
    refused(tmp_path / "other.db", "is a database of another program, not a history: choose another file")


def test_an_empty_file_is_no_history_yet(tmp_path):
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(UserError, match=r"there is no history .* yet: a run records itself there"):
        server.reading(places.read(f"sqlite:///{tmp_path}/mlflow.db"), print)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "mlflow.db").mkdir()
    refused(tmp_path / "mlflow.db", "cannot be opened to write")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "mlflow.db", r"cannot be made \(.*\): choose another file for the history")


@pytest.fixture
def open_folder():
    """An empty folder that other users may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="pneumonia-history-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_file_that_cannot_be_written_is_refused(open_folder, empty_database):
    file = open_folder / "mlflow.db"
    shutil.copyfile(empty_database, file)
    file.chmod(0o444)
    become = "os.setgid(65534); os.setuid(65534); " if os.getuid() == 0 else ""
    check = f"server._check(pathlib.Path({str(file)!r}), True)"
    code = f"import os, pathlib; from components.tracking import server; {become}{check}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert "cannot be opened to write (attempt to write a readonly database): change its owner or mode" in done.stderr


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (
            "ffffffffffff",
            "was written by a newer MLflow than .*: choose another file, or start a server of that version",
        ),
        (
            "728d730b5ebd",
            "was written by an older MLflow than .*: make a copy of it, then run 'mlflow db upgrade sqlite:///",
        ),
    ],
)
def test_a_database_of_another_version_is_refused_and_not_changed(tmp_path, empty_database, version, message):
    file = tmp_path / "mlflow.db"
    shutil.copyfile(empty_database, file)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
        database.execute("DROP TABLE metrics")
    before = file.read_bytes()
    refused(file, message)
    assert file.read_bytes() == before


def test_a_new_database_appears_only_when_it_is_whole(tmp_path, monkeypatch):
    from mlflow.store.tracking import sqlalchemy_store  # noqa: PLC0415

    class Dies:
        def __init__(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr(sqlalchemy_store, "SqlAlchemyStore", Dies)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "mlflow.db")
    assert {path.name for path in tmp_path.iterdir()} <= {".mlflow.db.lock"}


def test_an_empty_file_becomes_a_database(tmp_path, empty_database, monkeypatch):
    monkeypatch.setattr(server, "_create", lambda file, _: shutil.copyfile(empty_database, file))
    (tmp_path / "mlflow.db").touch()
    opened(tmp_path / "mlflow.db")


def test_who_waits_too_long_for_another_command_says_so(recorded, monkeypatch):
    monkeypatch.setattr(server, "LONGEST_WAIT", 0.1)
    file = places.read(recorded.uri).file
    hold = "import filelock, sys; l = filelock.FileLock(sys.argv[1]); l.acquire(); print('held', flush=True); input()"
    words = [sys.executable, "-c", hold, str(file.with_name(".mlflow.db.lock"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        refused(file, "another command has been writing to .* wait until it ends, or stop it")
        holder.communicate("\n")
    opened(file)


def test_reading_needs_a_history_that_exists(tmp_path):
    with pytest.raises(UserError, match=r"there is no history .* yet"):
        server.reading(places.read(f"sqlite:///{tmp_path}/mlflow.db"), print)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.medium
def test_mlflows_own_server_gets_and_gives_the_same_as_a_file(on_server, later, recorded):
    for history in (on_server, recorded):
        first = history.record(later)
        assert history.record(later) == first
    there, here = (history.everything() for history in (on_server, recorded))
    assert there.keys() == here.keys()
    for name, run in here.items():
        assert there[name].data.metrics == run.data.metrics
        assert there[name].data.params == run.data.params
        own = {"mlflow.parentRunId", *(f"pneumonia_benchmark.{name}" for name in ("promoted", "recording", "begun"))}
        assert {k: v for k, v in there[name].data.tags.items() if k not in own and "registered" not in k} == {
            k: v for k, v in run.data.tags.items() if k not in own
        }
    (run,) = on_server.history.runs()
    assert on_server.history.compared(run).predictions.equals(recorded.history.compared(run_of(recorded)).predictions)
    assert on_server.history.results(run)["run"]["id"] == "20260207-120000"


def run_of(history):
    return history.history.runs()[0]


@pytest.mark.medium
def test_nothing_secret_is_stored_or_printed(on_server, mlflow_server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim too")
    on_server.record(write_run(tmp_path / "run", "secretive", seeds=(1,)))
    _, folder = mlflow_server
    stored = [path for path in [*folder.rglob("*"), *(tmp_path / "run").rglob("*")] if path.is_file()]
    assert len(stored) > 10
    assert [path for path in stored if b"geheim" in path.read_bytes()] == []
    said = capsys.readouterr()
    assert "geheim" not in said.out + said.err


@pytest.mark.parametrize("where", ["s3://bucket/mlflow", "/srv/mlruns"])
def test_a_server_that_does_not_take_files_is_refused_before_anything_is_recorded(on_server, later, monkeypatch, where):
    name = f"files in {where}"
    monkeypatch.setattr(names, "EXPERIMENT", name)
    on_server.client.create_experiment(name, artifact_location=where)
    with pytest.raises(UserError, match=rf"has files of runs in {where}.*: start the server with --serve-artifacts"):
        on_server.record(later)
    assert on_server.client.search_runs([on_server.client.get_experiment_by_name(name).experiment_id]) == []


@pytest.mark.slow
def test_what_another_command_may_still_be_recording_is_left_alone_for_an_hour(on_server, tmp_path, monkeypatch):
    run, ask = write_run(tmp_path / "run", "disturbed", seeds=(1,)), server.Server.ask

    def stop(self, method, *arguments, **named):
        if method == "log_artifact":
            raise KeyboardInterrupt
        return ask(self, method, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(server.Server, "ask", stop)
        with pytest.raises(KeyboardInterrupt):
            on_server.record(run)

    def of_run():
        return {found.id: found.complete for found in on_server.history.of_key(key)}

    key = Benchmark.load(run / "comparison").key(Origin("id of disturbed"))
    (partial,) = of_run()
    whole = on_server.record(run)
    assert of_run() == {partial: False, whole: True}
    for minutes, left in ((55, {partial: False, whole: True}), (65, {whole: True})):
        begun = files.timestamp(files.now() - timedelta(minutes=minutes))
        on_server.client.set_tag(partial, names.BEGUN, begun)
        assert on_server.record(run) == whole
        assert of_run() == left


def test_a_wrong_password_is_named(on_server, later, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "another")
    with pytest.raises(
        UserError, match=r"refuses access .* check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    ):
        on_server.record(later)


def test_a_server_that_is_down_is_tried_again_and_then_named(later, capsys):
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TransientError, match=f"{url} does not answer .* check the address") as error:
        Recorded(url).record(later, attempts=3)
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out.count("attempt ") == 2


@pytest.mark.medium
def test_a_run_survives_a_server_that_is_down_now_and_then(on_server, tmp_path, monkeypatch):
    """Every third request fails, half of those after they were carried out."""
    run = write_run(tmp_path / "run", "shaky", seeds=(1,))
    count, request = iter(range(10**6)), requests.Session.request

    def shaky(self, method, url, **named):
        number = next(count)
        answer = None if number % 6 == 2 else request(self, method, url, **named)
        if number % 3 == 2:
            raise requests.ConnectionError("reset by peer")
        return answer

    monkeypatch.setattr(requests.Session, "request", shaky)
    on_server.record(run, attempts=5)
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "someone")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "geheim")
    assert [run.name for run in on_server.history.runs()].count("shaky") == 1
    assert len([name for name in on_server.everything() if name.startswith("shaky: ")]) == 3
