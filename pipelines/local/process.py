"""Runs kfp's local runner in a process of its own, so that it can be stopped with everything that it has started.

kfp goes on with further steps after Ctrl-C, and leaves temporary folders behind. Here it leads
a process group, which includes the processes of the steps, and has a folder for temporary files that is removed with
it.
"""

import contextlib
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from components.process import handling, prepare
from pipelines.local import containers
from pipelines.local.finished import Steps
from pipelines.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]

SECONDS_TO_CLEAN_UP = 5.0
"""How long steps may take to remove incomplete files, and a training to save a checkpoint, before they are killed."""

CHECKPOINTS = "checkpoints"
"""Name of the folder in that of a run where its interrupted trainings continue."""


@dataclass(frozen=True)
class Job:
    """A run of the pipeline.

    Attributes:
        folder: of the run.
        parameters: of the pipeline, by name.
        settings: of the pipeline.
        in_containers: whether each step runs in a container.
        images: {name: identity} of the images.
        inputs: files and folders that containers can read.
        gpus: number of GPUs per container.
    """

    folder: Path
    parameters: Mapping[str, Any]
    settings: Settings
    in_containers: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[str] = ()
    gpus: int = 0


@contextlib.contextmanager
def started(job: Job, log: IO) -> Iterator[Iterator[str]]:
    """Runs the pipeline.

    Args:
        job: what to run.
        log: of the run. kfp's process keeps it open, and with it the lock of the run.

    Yields:
        The lines that kfp and the steps print, until the run ends. On leaving, all processes are stopped.
    """
    # The steps' processes must find the project from whatever folder they start in.
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory(prefix="pneumonia-benchmark-", ignore_cleanup_errors=True) as scratch:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.local.process"],
            env=environment | {"TMPDIR": scratch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[log.fileno()],
            start_new_session=True,  # Ctrl-C in a terminal reaches only the parent, which then stops everything
        )
        stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)  # both are pipes
        try:
            with contextlib.suppress(BrokenPipeError), stdin as pipe:
                pickle.dump(job, pipe)
            yield (line.decode("utf-8", "backslashreplace") for line in stdout)
        finally:
            with handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):
                # Containers are not among the processes, and get no time.
                _stop(process, 0.0 if job.in_containers else SECONDS_TO_CLEAN_UP)
                stdout.close()
                if job.in_containers:
                    containers.stop(job.folder.name)


def _stop(process: subprocess.Popen, seconds: float) -> None:
    """Interrupts the steps, and kills them if they have not ended after some seconds.

    kfp gets the same signal, after which it starts no further step. It is not killed before the steps have ended, since
    it reads what they print: a step that prints to a closed pipe fails.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses signals to what has just ended
        os.killpg(process.pid, signal.SIGINT)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Makes SIGTERM, and SIGHUP from a closed terminal, the same as Ctrl-C."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    ends = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    with handling(stop, *ends):
        yield


def main() -> None:
    """Reads a job from standard input and runs it with kfp; the caller tells success from the results."""
    prepare()
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the process that started this one)
    cast(io.TextIOWrapper, sys.stdout).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    warnings.simplefilter("ignore")
    from kfp import local  # noqa: PLC0415 (after warnings are off)
    from kfp.local import task_dispatcher  # noqa: PLC0415

    from pipelines.benchmark import build  # noqa: PLC0415

    steps, checkpoints = ((job.folder / name).resolve() for name in ("steps", CHECKPOINTS))
    for folder in (steps, checkpoints):
        folder.mkdir(exist_ok=True)
    runner = local.SubprocessRunner(use_venv=False)
    if job.in_containers:
        runner = containers.runner(steps, job.inputs, job.gpus, job.folder.name, checkpoints)
    local.init(runner=runner, pipeline_root=str(steps))
    pipeline = build(replace(job.settings, run_id=job.folder.name, checkpoints=str(checkpoints)))
    tasks = pipeline.pipeline_spec.root.dag.tasks.values()
    titles = {task.component_ref.name: task.task_info.name for task in tasks}
    run = task_dispatcher.run_single_task_implementation
    taken_or_run = Steps(run, job.folder, titles, job.images)
    signal.signal(signal.SIGINT, taken_or_run.stop)
    task_dispatcher.run_single_task_implementation = taken_or_run
    try:
        pipeline(**job.parameters)
    except RuntimeError as error:
        print(error)


if __name__ == "__main__":
    main()
