"""Start-up and shutdown time of the steps' processes: python -m benchmarks.startup."""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from components import console
from components.console import UserError

_PREPARED = "from components import process; process.prepare(); "
_STEP = f"import os; os.environ['_KFP_RUNTIME'] = 'true'; import kfp.dsl.executor_main; {_PREPARED}import "
"""The way in which Kubeflow starts a step, on a cluster as in the local runner."""

TASKS = {
    "pipelines.local": f"{_PREPARED}import pipelines.local, kfp.local, pipelines.benchmark as b; b.build(b.Settings())",
    **{name: f"{_STEP}components.{name}.{name}" for name in ("ingest", "preprocess", "train", "evaluate", "compare")},
    "evaluate": f"{_STEP}components.evaluate.regimes, components.evaluate.evaluate",
    "train": f"{_STEP}components.train.supervision, subprocess, sys; subprocess.run([sys.executable, '-c', "
    f"{_PREPARED + 'import components.train.train'!r}], check=True)",
}
"""Python code by name of the task that brings a new process to the point where its work begins; train's work is that of
another process."""

_LEAVE = "; import os; os._exit(0)"
"""Ends a process at once, without Python's cleanup."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description="Measures the time of each task of the pipeline until its work can begin, and of its shutdown, "
        "each time in a new process.",
        epilog="example: python -m benchmarks.startup --json startup.json",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of each task; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.repetitions < 1:
            raise UserError(f"--repetitions is {arguments.repetitions}: give 1 or more")
        result = start_all(arguments.repetitions)
        if arguments.json:
            measure.write_json(arguments.json, result)
    print(f"\n{_table(result)}\n\nmedians of {arguments.repetitions} processes each")


def start_all(repetitions: int, tasks: Sequence[str] = tuple(TASKS)) -> dict[str, Any]:
    """Starts the process of every task several times.

    Args:
        repetitions: of each task, after a first one that only warms the disk cache.
        tasks: names in `TASKS`.

    Returns:
        What `--json` writes, see benchmarks/README.md.
    """
    return {"benchmark": "startup", "repetitions": repetitions, "tasks": {n: _start(n, repetitions) for n in tasks}}


def _start(name: str, repetitions: int) -> dict[str, float]:
    ready, whole = [], []
    for _ in range(repetitions + 1):
        ready.append(measure.run(["-c", TASKS[name] + _LEAVE]))
        whole.append(measure.run(["-c", TASKS[name]]))
    to_begin = statistics.median(each.seconds for each in ready[1:])
    found = {
        "ready_seconds": to_begin,
        "end_seconds": statistics.median(each.seconds for each in whole[1:]) - to_begin,
        "memory_mb": statistics.median(each.peak_memory_mb for each in ready[1:]),
    }
    console.say("startup", f"{name}: {found['ready_seconds']:.2f} s, {found['memory_mb']:.0f} MB")
    return found


def _table(result: dict[str, Any]) -> str:
    rows = [
        [name, f"{found['ready_seconds']:.2f}", f"{found['end_seconds']:.2f}", f"{found['memory_mb']:.0f}"]
        for name, found in result["tasks"].items()
    ]
    return measure.table(["task", "s until ready", "s to end", "MB"], rows)


if __name__ == "__main__":
    main()
