"""Trains in a process of its own, so that a training that dies becomes a result instead of the end of the run.

The process of the step stays small and watches. What kills a training (too little memory, a crash in a library, missing
weights) leaves it alive, and it writes a `failed_training.FailedTraining` in place of the models.

On current Kubernetes clusters the kernel kills all processes of a container that exceeds its memory limit, this one
included. So the training is killed here a little earlier, while there is still memory for the others.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

from components import console, machine, process
from components.artifacts import failed_training, files, trained_model
from components.artifacts.failed_training import CRASHED, OUT_OF_MEMORY, STOPPED, FailedTraining
from components.artifacts.trained_model import TrainingRecord
from components.parameters import LabelBudgetParameters, RecipeParameters, TrainParameters
from components.train.interruption import TERMINATED

RESERVE, RESERVE_SHARE = 150e6, 0.03
"""Memory that is left when the training is killed: so many bytes, or this share of the container's if that is more."""

FASTEST = 5e9
"""Bytes per second that a process can at most fill; it determines when to look at the memory again."""

LOOKS = 0.01, 0.5
"""Shortest and longest time between two looks, in seconds."""

MODULE = "components.train.supervision"

PLACE = "place.txt"
"""File in which the process names its place among the checkpoints, if it keeps that."""

_ROOT = Path(__file__).resolve().parents[2]
_SET_DEATH_SIGNAL = 1
"""Number of prctl(2)'s PR_SET_PDEATHSIG."""

_MEMORY_ERRORS = ("MemoryError", "ResourceExhaustedError", "RESOURCE_EXHAUSTED", "OOM when allocating", "bad_alloc")
_REMEDY = "give it more (on a cluster --memory train=16G), or choose a smaller batch size or image size"


def train(
    dataset: str | Path,
    output: str | Path,
    regime: str,
    parameters: TrainParameters,
    checkpoints: str | Path = "",
) -> list[TrainingRecord] | FailedTraining:
    """Trains as `train.train` does, which has the arguments, but in a process of its own.

    Returns:
        The content of `training.json` for each seed; or why the training failed, which is then in the folder of the
        models.

    Raises:
        SystemExit: after SIGTERM, which the training receives too, so that it can save a checkpoint.
        KeyboardInterrupt: after SIGINT, likewise.
    """
    failure = supervised("train", dataset, output, regime, parameters, checkpoints).failure
    return failure or [model.training for model in trained_model.load_all(output)]


@dataclass(frozen=True)
class Ended:
    """How a training in a process of its own has ended.

    Attributes:
        failure: why it failed; None if it succeeded.
        place: name of its place among the checkpoints if that was kept; else "".
    """

    failure: FailedTraining | None
    place: str


def supervised(
    what: str,
    dataset: str | Path,
    output: str | Path,
    regime: str,
    parameters: RecipeParameters,
    checkpoints: str | Path,
    more: Mapping[str, str | None] = MappingProxyType({}),
    last: bool = True,
) -> Ended:
    """Trains in a process of its own; why that failed is then in the folder of the output.

    Args:
        what: "train" or "label budgets".
        dataset: as for `train`.
        output: likewise.
        regime: likewise.
        parameters: likewise.
        checkpoints: likewise.
        more: further arguments.
        last: whether nothing is trained after it, so that a request to stop which comes at its end has no effect.
    """
    started, output = files.now(), Path(output).resolve()
    job = {
        "dataset": str(dataset),
        "output": str(output),
        "regime": regime,
        "parameters": asdict(parameters),
        "checkpoints": str(checkpoints),
        **more,
    }
    training = _Training(what, job, last)
    failed = training.end()
    if failed is None:
        return Ended(None, training.place)
    cause, reason = failed
    failure = failed_training.record(regime, cause, reason, started, {"regime": regime, **asdict(parameters)})
    failed_training.save(output, failure)
    console.say(f"{what} {regime}", f"failed, {cause}: {console.one_line(reason)}")
    return Ended(failure, training.place)


class _Training:
    """A training in a process of its own.

    Args:
        what: "train" or "label budgets".
        job: arguments of `train` or `train_budgets`, as JSON values.
        last: see `supervised`.

    Attributes:
        place: see `Ended`.
    """

    def __init__(self, what: str, job: dict[str, Any], last: bool = True):
        self._what, self._job, self._last = what, job, last
        self.place = ""
        self._requested: int | None = None
        self._killed = machine.killed_for_memory()
        self._too_large = False

    def end(self) -> tuple[str, str] | None:
        """Trains to the end, whichever it is; gives cause and reason of a failure."""
        output = Path(self._job["output"])
        with tempfile.TemporaryDirectory(prefix="train-", ignore_cleanup_errors=True) as scratch:
            child = self._process = self._start(scratch)
            with process.handling(self._pass_on, signal.SIGINT, signal.SIGTERM):
                self._watch()
            # What a process leaves that was killed.
            shutil.rmtree(output.with_name(f".{output.name}.partial-{child.pid}"), ignore_errors=True)
            told = Path(scratch) / "failure.json"
            failure = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else None
            if (place := Path(scratch) / PLACE).is_file():
                self.place = place.read_text(encoding="utf-8")
        if child.returncode == 0 and (self._last or not self._requested):
            return None
        if self._requested == signal.SIGINT or child.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
            raise KeyboardInterrupt
        if self._requested or child.returncode in (-signal.SIGTERM, TERMINATED):
            raise SystemExit(TERMINATED)
        return tuple(failure) if failure else self._died(child.returncode)

    def _start(self, scratch: str) -> subprocess.Popen:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        started = subprocess.Popen(  # noqa: S603 (this program)
            [
                sys.executable,
                "-m",
                "components.train.supervision",
                str(os.getpid()),
                f"{scratch}/failure.json",
                self._what,
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": scratch},
            stdin=subprocess.PIPE,
        )
        with contextlib.suppress(BrokenPipeError), cast(IO[bytes], started.stdin) as pipe:
            pipe.write(json.dumps(self._job).encode())
        return started

    def _watch(self) -> None:
        """Waits for the end of the process, and kills it before the kernel kills this one too."""
        limit = machine.memory_limit()
        most = limit - max(RESERVE, RESERVE_SHARE * limit) if limit else None
        while True:
            room = most - machine.memory_used() if most else float("inf")
            if room < 0:
                self._too_large = True
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(min(max(room / FASTEST, LOOKS[0]), LOOKS[1]))
                return

    def _pass_on(self, number: int, _: object) -> None:
        self._requested = number
        self._process.send_signal(number)

    def _died(self, code: int) -> tuple[str, str]:
        """Cause and reason for a process that could not tell them."""
        if self._too_large or machine.killed_for_memory() > self._killed:
            limit = machine.memory_limit()
            size = f"the {limit / 1e9:.1f} GB that its container may use" if limit else "there is"
            return OUT_OF_MEMORY, f"the training needed more memory than {size}: {_REMEDY}"
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            return CRASHED, f"something killed the training ({name}), perhaps because memory ran out: {_REMEDY}"
        return CRASHED, f"the process of the training crashed ({name}): its last lines in the log may say why"


def main() -> None:
    """Trains what standard input says, and writes cause and reason of a failure to a file."""
    parent, told, what = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    _prepare(parent)
    job = json.load(sys.stdin)
    try:
        _run(what, job, told.with_name(PLACE))
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except BrokenPipeError:  # nobody reads the output any more: on a cluster, the pod is about to be deleted
        raise SystemExit(TERMINATED) from None
    except Exception as error:
        files.write_text(told, json.dumps(_explained(error)))
        raise SystemExit(2) from None


def _run(what: str, job: dict[str, Any], place: Path) -> None:
    # Imported after the memory is set up.
    if what == "train":
        from components.train.train import train as run  # noqa: PLC0415

        run(**job | {"parameters": TrainParameters(**job["parameters"])})
    else:
        from components.train.label_budgets import train_budgets as run_budgets  # noqa: PLC0415

        parameters = LabelBudgetParameters(**job["parameters"])
        run_budgets(**job | {"parameters": parameters}, keeping=partial(files.write_text, place))


def _prepare(parent: int) -> None:
    process.prepare()
    process.keep_freed_memory()
    # Without its parent nobody would wait for the result, and it would train on beside the next attempt.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(TERMINATED)
    # Where the kernel kills a single process for want of memory, it should be this one.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _explained(error: Exception) -> tuple[str, str]:
    """Cause and reason of an exception; prints its traceback unless the user can do something about it."""
    if (message := console.explanation(error)) is not None:
        return STOPPED, message
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if any(sign in text for sign in _MEMORY_ERRORS):
        return OUT_OF_MEMORY, f"the training needed more memory than there is ({text[:200]}): {_REMEDY}"
    traceback.print_exception(error)
    return CRASHED, f"the training ended with an error of the program ({text[:300]}): the log has the details"


if __name__ == "__main__":
    main()
