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
import pathlib, sys, time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1.5)
    pathlib.Path(sys.argv[1]).write_text("saved")
"""


def test_a_training_has_time_to_save_a_checkpoint_and_is_not_waited_for_longer(tmp_path):
    leader = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    words = [sys.executable, "-c", leader, SAVES, str(tmp_path / "checkpoint")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout.readline() == b"ready\n"
        begun = time.monotonic()
        process._stop(started)
    assert (tmp_path / "checkpoint").read_text() == "saved"
    assert time.monotonic() - begun < process.SECONDS_TO_CLEAN_UP - 1
