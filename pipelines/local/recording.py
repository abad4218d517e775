"""Records a finished run in MLflow; what goes wrong with that costs the run nothing.

The step `record` runs here as a process of its own after all others, and not in the graph as on a cluster: containers
then need no access to the history, and a run has its results, whatever becomes of the recording.
"""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from components import console
from components.tracking import names, places
from pipelines import runs
from pipelines.local.process import PROJECT

ATTEMPTS = 3
"""How often something is tried if a server is down, which takes a few seconds: a command is waiting."""

OPTIONS = ("tracking_uri", "register", "no_record", "on_regression", "runs_per_year", "confirm_regressions")
"""What `run.json` has of the command line for this."""

_EFFECTS: dict[str, Any] = {"tracking_uri": "", "register": "", "on_regression": names.ON_REGRESSION[0]}
_EFFECTS |= {"runs_per_year": names.RUNS_PER_YEAR, "confirm_regressions": False}
"""The options that have no effect on a run that is not recorded, with their defaults."""


@dataclass(frozen=True)
class Outcome:
    """What became of the recording of a run.

    Attributes:
        regressed: whether an alarm fails the run.
        suspected: whether an alarm waits for a confirming run.
    """

    regressed: bool = False
    suspected: bool = False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say where a run is recorded."""
    group = parser.add_argument_group("history", "every run is recorded in MLflow after its report is written")
    group.add_argument(
        "--tracking-uri",
        default="",
        metavar="URI",
        help=f"{places.KINDS}; default: {places.VARIABLE}, or the file {places.DEFAULT} in the folder of all runs",
    )
    group.add_argument("--register", default="", metavar="NAME", help="also register the best model under this name")
    group.add_argument("--no-record", action="store_true", help="do not record the run")
    group.add_argument(
        "--on-regression",
        choices=names.ON_REGRESSION,
        default=names.ON_REGRESSION[0],
        help=f"whether an alarm is only said, or gives exit code {names.REGRESSION_CODE} too; default: %(default)s",
    )
    group.add_argument(
        "--runs-per-year",
        type=float,
        default=names.RUNS_PER_YEAR,
        metavar="N",
        help="runs that share a year's false alarms; default: %(default)g",
    )
    group.add_argument(
        "--confirm-regressions",
        action="store_true",
        help="an alarm counts only when another run has it too, with other seeds, which follows at once",
    )


def check(options: Mapping[str, Any], output: Path) -> None:
    """Finds mistakes in the options before the run.

    Raises:
        UserError: the place is not supported, or holds a password; a name is not one; or an option has no effect.
    """
    if options["no_record"]:
        for name, default in _EFFECTS.items():
            if options[name] != default:
                raise console.UserError(
                    f"--{name.replace('_', '-')} has no effect beside --no-record: leave one of them out"
                )
        return
    names.check_registered(options["register"])
    names.check_runs_per_year(options["runs_per_year"])
    resolved(options, output)


def resolved(options: Mapping[str, Any], output: Path) -> str:
    """The address of the history, as it is from any working directory and without anything secret; "" for none.

    Raises:
        UserError: the place is not supported, or holds a password.
    """
    return "" if options["no_record"] else places.read(_place(options, output)).uri


def _place(options: Mapping[str, Any], output: Path) -> str:
    uri: str = options["tracking_uri"] or os.environ.get(places.VARIABLE, "")
    return uri or places.sqlite(output.absolute() / places.DEFAULT)


def record(folder: Path, options: Mapping[str, Any], log: TextIO) -> Outcome:
    """Records a run, and prints in one line where, or why that has failed.

    Args:
        folder: of the run, with its comparison.
        options: `OPTIONS` by name.
        log: of the run.
    """
    if options["no_record"]:
        return Outcome()
    words = [str(folder), "--tracking-uri", _place(options, folder.parent)]
    words += ["--register", options["register"]] if options["register"] else []
    words += _gate_words(options)
    done = subprocess.run(
        [sys.executable, "-m", "components.record", *words, "--attempts", str(ATTEMPTS)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    log.write(done.stdout + done.stderr)
    log.flush()
    errors = [line.partition("error: ")[2] for line in done.stderr.splitlines() if line.startswith(console.PREFIX)]
    if done.returncode in (0, names.REGRESSION_CODE):
        # The last line says where; those before it what the gate found, and what became champion or was registered.
        lines = [line.removeprefix(f"{console.PREFIX}record: ") for line in done.stdout.splitlines()]
        print("\n".join(lines), flush=True)
        for error in errors:
            console.say_error(error)
        suspected = any(line.startswith(names.SUSPICION) for line in lines)
        return Outcome(done.returncode == names.REGRESSION_CODE, suspected)
    reason = errors[-1] if errors else f"see the end of {runs.short(folder / 'run.log')}"
    again = shlex.join(["python", "-m", "components.record", runs.short(folder), *words[1:]])
    what, do = ("and", "register") if reason.startswith(names.NOT_REGISTERED) else ("but not recorded:", "record")
    print(f"the run is complete {what} {reason}; then {do} it with: {again}", file=sys.stderr, flush=True)
    return Outcome()


def _gate_words(options: Mapping[str, Any]) -> list[str]:
    """The options of the gate that are not the defaults, as words of a command."""
    words = []
    if options["on_regression"] != names.ON_REGRESSION[0]:
        words += ["--on-regression", options["on_regression"]]
    if options["runs_per_year"] != names.RUNS_PER_YEAR:
        words += ["--runs-per-year", f"{options['runs_per_year']:g}"]
    return words + (["--confirm-regressions"] if options["confirm_regressions"] else [])
