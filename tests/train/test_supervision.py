"""A training that dies becomes a result; a request to stop reaches it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from components import machine
from components.artifacts import failed_training, trained_model
from components.parameters import TrainParameters
from components.train import supervision

SMALL = {"seeds": 1, "epochs": 1, "batch_size": 8}

SUPERVISED = """
import sys
from components.console import plain_errors
from components.parameters import TrainParameters
from components.train.supervision import train
dataset, output, checkpoints, epochs = sys.argv[1:]
with plain_errors():
    parameters = TrainParameters(seeds=1, epochs=int(epochs), batch_size=8, patience=0)
    train(dataset, output, "custom_cnn", parameters, checkpoints)
"""


def supervised(*arguments):
    """A supervising process, which leads a process group; its output is a pipe."""
    words = [sys.executable, "-c", SUPERVISED, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def until(process, text):
    """Reads the output up to a line that has the text."""
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} was not printed")


def in_place_of_training(monkeypatch, code):
    """Lets a few lines of Python be the process that trains."""

    def start(_self, scratch):
        return subprocess.Popen([sys.executable, "-c", code, scratch])

    monkeypatch.setattr(supervision._Training, "_start", start)


def failure(tmp_path, **settings):
    found = supervision.train(tmp_path, tmp_path / "model", "full_fine_tuning", TrainParameters(**SMALL | settings))
    assert failed_training.load(tmp_path / "model") == found
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "model"))] == ["model"]
    return found


@pytest.mark.slow
def test_a_training_that_succeeds_gives_its_records(prepared, tmp_path, capfd):
    records = supervision.train(prepared, tmp_path / "model", "custom_cnn", TrainParameters(**SMALL | {"seeds": 2}))
    assert [record["seed"] for record in records] == [1, 2]
    assert [model.training for model in trained_model.load_all(tmp_path / "model")] == records
    assert "training: epoch 1/1" in capfd.readouterr().out
    assert failed_training.load(tmp_path / "model") is None


@pytest.mark.slow
def test_missing_weights_are_the_reason_that_the_training_gives(prepared, tmp_path, capfd):
    parameters = TrainParameters(**SMALL, weights=str(tmp_path / "none.h5"))
    found = supervision.train(prepared, tmp_path / "model", "transfer_learning", parameters)
    assert (found["regime"], found["cause"]) == ("transfer_learning", "error")
    assert "none.h5" in found["reason"]
    assert found["made_by"]["arguments"]["weights"].endswith("none.h5")
    output = capfd.readouterr()
    assert "failed, error: " in output.out
    assert "Traceback" not in output.err


@pytest.mark.slow
def test_an_older_model_does_not_survive_a_failure(prepared, tmp_path):
    supervision.train(prepared, tmp_path / "model", "custom_cnn", TrainParameters(**SMALL))
    supervision.train(tmp_path, tmp_path / "model", "custom_cnn", TrainParameters(**SMALL))
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["failed.json"]


ALLOCATING = "import time; kept = []\nwhile True: kept.append(bytearray(10**6)); time.sleep(0.001)"


@pytest.mark.medium
def test_a_training_is_killed_before_the_memory_of_its_container_is_used_up(tmp_path, monkeypatch):
    in_place_of_training(monkeypatch, ALLOCATING)
    begun = time.monotonic()
    monkeypatch.setattr(machine, "memory_limit", lambda: int(1e9))
    monkeypatch.setattr(machine, "memory_used", lambda: int(1e9 * (time.monotonic() - begun)))
    found = failure(tmp_path)
    assert found["cause"] == "out of memory"
    assert "1.0 GB" in found["reason"]
    assert "--memory" in found["reason"]
    used = time.monotonic() - begun
    assert used >= 1 - supervision.RESERVE / 1e9, "it was killed at the limit less the reserve"


def test_enough_memory_is_no_reason_to_kill(tmp_path, monkeypatch):
    in_place_of_training(monkeypatch, "raise SystemExit(7)")
    monkeypatch.setattr(machine, "memory_limit", lambda: int(1e9))
    monkeypatch.setattr(machine, "memory_used", lambda: int(1e9 - supervision.RESERVE - 1))
    assert "exit code 7" in failure(tmp_path)["reason"]


def test_a_kill_by_the_kernel_for_memory_is_told_from_other_kills(tmp_path, monkeypatch):
    in_place_of_training(monkeypatch, "import os; os.kill(os.getpid(), 9)")
    assert failure(tmp_path)["cause"] == "crash"
    kills = iter([1, 2])
    monkeypatch.setattr(machine, "killed_for_memory", lambda: next(kills))
    assert failure(tmp_path)["cause"] == "out of memory"


def test_a_crash_names_its_signal(tmp_path, monkeypatch):
    in_place_of_training(monkeypatch, "import os; os.kill(os.getpid(), 11)")
    found = failure(tmp_path)
    assert found["cause"] == "crash"
    assert "SIGSEGV" in found["reason"]


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        (MemoryError(), "out of memory", "--memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: out of GPU memory"), "out of memory", "out of GPU memory"),
        (OSError(28, "No space left on device", "/models"), "error", "the disk is full while writing /models"),
        (ValueError("shapes do\nnot match"), "crash", "ValueError: shapes do not match"),
    ],
)
def test_each_exception_has_its_cause(error, cause, text, capsys):
    found = supervision._explained(error)
    assert found[0] == cause
    assert text in found[1]
    assert ("Traceback" in capsys.readouterr().err or "ValueError" in found[1]) == (cause == "crash")


@pytest.mark.slow
def test_sigterm_saves_a_checkpoint_from_which_the_next_process_continues(prepared, tmp_path):
    process = supervised(prepared, tmp_path / "model", tmp_path / "checkpoints", 40)
    until(process, "epoch 3/40")
    process.terminate()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 143
    assert not (tmp_path / "model").exists(), "a request to stop is no failure"
    assert "epoch 40/40" not in rest
    assert list((tmp_path / "checkpoints").rglob("state.npz"))

    again = supervised(prepared, tmp_path / "model", tmp_path / "checkpoints", 40)
    output = again.communicate(timeout=120)[0]
    assert again.returncode == 0
    assert "continues after epoch" in output
    assert "epoch 1/40" not in output
    (record,) = (model.training for model in trained_model.load_all(tmp_path / "model"))
    assert record["resumed"] == 1
    assert [entry["epoch"] for entry in record["history"]] == list(range(1, 41))
    assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.slow
def test_ctrl_c_stops_both_processes(prepared, tmp_path):
    process = supervised(prepared, tmp_path / "model", "", 10_000)
    until(process, "epoch 2/")
    os.killpg(process.pid, signal.SIGINT)
    assert "stopped before the end" in process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_training_does_not_outlive_its_supervisor(prepared, tmp_path):
    process = supervised(prepared, tmp_path / "model", tmp_path / "checkpoints", 10_000)
    until(process, "epoch 2/")
    process.kill()
    process.communicate(timeout=30)  # until the last process of the group has closed the pipe
    assert list((tmp_path / "checkpoints").rglob("state.npz"))
