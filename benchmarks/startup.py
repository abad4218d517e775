"""What a step's process costs before it works, and to end: python -m benchmarks.startup."""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from components import console
from components.console import UserError

_PREPARED = "from components import process; process.prepare(); "
_STEP = f"import os; os.environ['_KFP_RUNTIME'] = 'true'; import kfp.dsl.executor_main; {_PREPARED}import "
"""How Kubeflow starts a step, on a cluster and in the local runner alike."""

TASKS = {
    "pipelines.local": f"{_PREPARED}import pipelines.local, kfp.local, pipelines.benchmark as b; b.build(b.Settings())",
    **{name: f"{_STEP}components.{name}.{name}" for name in ("ingest", "preprocess", "train", "evaluate", "compare")},
}
"""By name, Python that brings a fresh process to where its work begins."""

_LEAVE = "; import os; os._exit(0)"
"""Ends a process at once, without what Python does at its end."""


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description="Measures what each task of the pipeline costs until its work can begin, and to end, each time in "
        "a fresh process.",
        epilog="example: python -m benchmarks.startup --json startup.json",
    )
    parser.add_argument("--repetitions", type=int, default=5, help="of each task; default: %(default)s")
    parser.add_argument("--json", type=Path, help="file for the results")
    arguments = parser.parse_args(words)
    with console.plain_errors():
        if arguments.repetitions < 1:
            raise UserError(f"--repetitions {arguments.repetitions} measures nothing: give 1 or more")
        result = start_all(arguments.repetitions)
        if arguments.json:
            measure.write_json(arguments.json, result)
    print(f"\n{_table(result)}\n\nmedians of {arguments.repetitions} processes each")


def start_all(repetitions: int, tasks: Sequence[str] = tuple(TASKS)) -> dict[str, Any]:
    """Starts every task's process again and again.

    Args:
        repetitions: of each task; one more that is not counted warms the disk cache.
        tasks: names out of `TASKS`.

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
    sys.exit(main())
