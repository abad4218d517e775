"""Continues a run that was interrupted: its settings, and that nobody else works on it."""

import argparse
import contextlib
import fcntl
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from components.artifacts import comparison, files
from components.artifacts.names import REGIMES
from components.console import UserError
from components.parameters import PIPELINE
from pipelines import runs
from pipelines.local import recording

OPTIONS = ("external_test", "runner", "registry", "tag", "gpus", *recording.OPTIONS)
"""What `run.json` has of the command line beside parameters and regimes."""

GRAPH = 3
"""Number of the graph in `run.json`. It grows when tasks are put together or taken apart: what is left of the old one
must not be mixed with the new one."""

STOPPED = 130
"""Exit code after Ctrl-C."""


def restore(arguments: argparse.Namespace, folder: Path) -> None:
    """Sets the options of a command to those of a run.

    Args:
        arguments: are changed; `command` becomes that which began the run, `confirming` whether it confirms another.
        folder: of the run.

    Raises:
        UserError: there is no such run, or its `run.json` is damaged or of another version.
    """
    content = _read(folder)
    try:
        parameters, regimes, own = (content[key] for key in ("parameters", "regimes", "options"))
        values = {name: parameters[name] for name in PIPELINE} | {name: own[name] for name in OPTIONS}
        whole = (
            content.get("graph") == GRAPH
            and parameters.keys() == PIPELINE.keys()
            and regimes
            and set(regimes) <= set(REGIMES)
        )
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{folder / 'run.json'} is not of this version of the project: start a new run instead")
    begun = {"command": content.get("command", sys.argv), "confirming": content.get("confirming", False)}
    vars(arguments).update(values | begun, regimes=regimes, output=folder.parent)


def begin(folder: Path, started: str, images: Mapping[str, str]) -> None:
    """Records in `run.json` that a run is continued.

    Args:
        folder: of the run.
        started: when this attempt began (ISO 8601).
        images: {"data_image" and "train_image": name}; the present code may have others than the run began with.
    """
    content = _read(folder)
    content["origin"] = content.get("origin", {}) | images
    attempt = {"started": started, "command": sys.argv, "taken": []}
    content["resumed"] = [*content.get("resumed", []), attempt]
    files.write_json(folder / "run.json", content)


def _read(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} is not the folder of a run (it has no run.json): give --resume one") from None
    except (ValueError, TypeError):
        raise UserError(f"{path} is damaged: start a new run instead") from None


def is_finished(folder: Path) -> bool:
    """Whether a run has a comparison, and no regime is left that could not be trained, also with label budgets."""
    made = folder / "comparison"
    try:
        record = comparison.load(made)
        return not comparison.failures(record) and not comparison.budget_failures(record)
    except UserError:
        return made.exists()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[TextIO]:
    """Opens the log of a run that no other command is working on, and keeps others away.

    The system frees the lock when the last process that has the log open ends, however it ends.

    Raises:
        UserError: another command is working on the run, or it has finished.
    """
    with (folder / "run.log").open("a", encoding="utf-8") as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another command is working on {folder}: wait until it ends, or stop it") from None
        except OSError:
            pass  # the disk has no locks
        if is_finished(folder):
            raise UserError(f"the run {folder} has finished: its report is {folder / 'comparison' / 'report.html'}")
        yield log


@contextlib.contextmanager
def offered() -> Iterator[list[Path]]:
    """Says how to continue a run that was stopped, has failed, or has regimes that could not be trained.

    Yields:
        A list for the folder of the run, as long as it has begun and not finished.
    """
    begun: list[Path] = []
    try:
        yield begun
    except SystemExit as ended:
        for folder in begun:
            place = shlex.quote(runs.short(folder))
            if ended.code == STOPPED:
                print("what has finished is kept, and a training continues at its last checkpoint", file=sys.stderr)
            print(f"continue with: python -m pipelines.local --resume {place}", file=sys.stderr, flush=True)
        raise
