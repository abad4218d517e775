"""A run can be stopped with everything that it has started, and leaves no temporary files."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.local import process
from tests.pipelines.local.helpers import PROJECT, run, write_images

pytestmark = pytest.mark.medium


@pytest.mark.slow
def test_nothing_is_left_among_temporary_files(tmp_path):
    images, temporary = write_images(tmp_path / "images", ("NORMAL",)), tmp_path / "temporary"
    temporary.mkdir()
    done = run("--source", "directory", "--path", images, "--output", tmp_path / "runs", TMPDIR=str(temporary))
    assert done.returncode == 2
    assert list(temporary.iterdir()) == []


def processes_that_name(word):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += [folder.name] if word.encode() in (folder / "cmdline").read_bytes() else []
    return found


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_request_to_stop_ends_all_steps_at_once(tmp_path, number):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = [
        sys.executable,
        "-m",
        "pipelines.local",
        "--synthetic-images",
        "20000",
        "--output",
        str(tmp_path / "runs"),
    ]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "TMPDIR": str(temporary)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    def heed() -> None:
        """Undoes what nohup does to whoever runs the tests."""
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(words, env=environment, cwd=PROJECT, preexec_fn=heed, **streams) as command:  # noqa: PLW1509
        assert command.stdout.readline().startswith("run ")
        end = time.monotonic() + 60
        while not processes_that_name("ephemeral_component") and time.monotonic() < end:
            time.sleep(0.05)
        begun = time.monotonic()
        command.send_signal(number)
        try:
            last, _ = command.communicate(timeout=60)
        finally:
            command.kill()
        assert command.returncode == 130
        # It takes less than two; a busy machine may take longer.
        assert time.monotonic() - begun < 10
    assert "stopped before the end" in last
    assert "continue with: python -m pipelines.local --resume " in last
    assert "Traceback" not in last
    assert processes_that_name(str(tmp_path)) == []
    assert list(temporary.iterdir()) == []


SAVES = """
import os, pathlib, sys, time
if any("executor_main" in word for word in sys.orig_argv):
    marks = pathlib.Path(os.environ["MARKS"])
    (marks / f"begun-{os.getpid()}").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(1.5)
        print("saving", flush=True)
        (marks / "saved").touch()
        os._exit(0)
"""
"""Makes each step, when it is interrupted, print something, save something and end as if it had succeeded."""


def test_an_interrupted_step_can_print_and_save_and_no_other_one_begins(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SAVES)
    words = [sys.executable, "-m", "pipelines.local", "--output", str(tmp_path / "runs")]
    variables = {"PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}", "MARKS": str(tmp_path)}
    with subprocess.Popen(words, env=os.environ | variables, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as command:
        end = time.monotonic() + 60
        while not list(tmp_path.glob("begun-*")) and time.monotonic() < end:
            time.sleep(0.05)
        begun = time.monotonic()
        command.send_signal(signal.SIGINT)
        try:
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode == 130
    assert "continue with: " in said
    assert (tmp_path / "saved").exists()
    assert len(list(tmp_path.glob("begun-*"))) == 1
    assert time.monotonic() - begun < process.SECONDS_TO_CLEAN_UP, "it is waited for as long as necessary"


def test_a_step_that_does_not_end_is_killed():
    words = [sys.executable, "-c", "import signal; signal.signal(2, signal.SIG_IGN); print(1, flush=True); input()"]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, start_new_session=True, **streams) as started:
        started.stdout.readline()
        begun = time.monotonic()
        process._stop(started, 0.5)
        assert 0.5 <= time.monotonic() - begun < 3
    assert started.returncode == -signal.SIGKILL
