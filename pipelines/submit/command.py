"""The command line of python -m pipelines.submit: runs the pipeline on a Kubeflow cluster, once or on a schedule."""

import argparse
import contextlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from components import console, process
from pipelines import settings_options
from pipelines.submit import cron, schedules
from pipelines.submit.package import NAME
from pipelines.submit.run import run

EXIT_CODES = """exit codes: 0 done (with --wait: the run succeeded), 1 the run failed, was cancelled or is no longer
in the cluster, 2 a mistake, or a server that refuses or does not answer, 3 a run goes on (it did not end within
--wait-timeout, or the schedule to delete waits for it), 4 an alarm failed the run (--on-regression fail)"""

DELETING = """When a schedule is deleted, Kubeflow stops its run, and lists it as running for ever. The schedule is
therefore paused, and deleted when its run has ended: give this command again then, or add --wait. Runs that have ended
are kept."""


def main(words: Sequence[str] | None = None) -> int:
    """Reads the command line and runs the command.

    Returns:
        The exit code: 0 done, or the run succeeded; 1 the run failed; 3 it did not end in time; 4 an alarm
        failed it; 130 after Ctrl-C.

    Raises:
        SystemExit: with code 2 for a mistake, or a server that does not answer or refuses.
    """
    process.prepare()
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        exit_code: int = arguments.command(arguments)
        return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.submit",
        description="Runs the benchmark on a Kubeflow cluster, once or on a schedule.",
        epilog="""examples:
  python -m pipelines.submit run --host http://localhost:8888 --registry ghcr.io/me --set epochs=30 --wait
  python -m pipelines.submit schedule --cron "0 3 * * 1" --registry ghcr.io/me --run-now
  python -m pipelines.submit pause
COMMAND --help has each command's options.

"""
        + EXIT_CODES
        + """

environment, as for kfp's own client: KF_PIPELINES_ENDPOINT, KF_PIPELINES_UI_ENDPOINT, KF_PIPELINES_SA_TOKEN_PATH,
KF_PIPELINES_IAP_OAUTH2_CLIENT_ID, KF_PIPELINES_APP_OAUTH2_CLIENT_ID, KF_PIPELINES_APP_OAUTH2_CLIENT_SECRET,
KF_PIPELINES_DEFAULT_EXPERIMENT_NAME, KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME. Secrets are never options: a bearer token
comes from a file or KF_PIPELINES_TOKEN, cookies from KF_PIPELINES_COOKIES.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_schedule(commands)
    _command(commands, "list", schedules.list_schedules, "list the schedules")
    for name, command, text in (
        ("pause", schedules.pause, "pause a schedule"),
        ("resume", schedules.resume, "resume a schedule"),
    ):
        _add_name(_command(commands, name, command, text))
    _add_delete(commands)
    return parser


def _command(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], text: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    """Adds a subcommand with the options that all subcommands have."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    _add_server(parser)
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print what would be done; write nothing to the server")
    add = parser.add_argument_group("the server").add_argument
    add("--host", "--endpoint", metavar="URL", help="the Kubeflow Pipelines API; default: KF_PIPELINES_ENDPOINT")
    add("--ui-host", metavar="URL", help="the web interface, for links; default: the host")
    add(
        "--namespace",
        "-n",
        default="kubeflow",
        metavar="NAME",
        help="your profile's, on a Kubeflow with profiles",
    )
    add("--existing-token-file", type=Path, metavar="FILE", help="bearer token; default: KF_PIPELINES_SA_TOKEN_PATH")
    add("--client-id", "--iap-client-id", metavar="ID", help="OAuth client of Google's Identity-Aware Proxy")
    add("--other-client-id", metavar="ID", help="OAuth client to log in there from a desktop")
    add("--kube-context", metavar="NAME", help="context of the kubeconfig, where no host is given")
    add("--proxy", metavar="URL", help="HTTP proxy")
    add(
        "--ssl-ca-cert",
        type=Path,
        metavar="FILE",
        help="certificates of the server's certificate authority",
    )
    add("--no-verify-ssl", dest="verify_ssl", action="store_false", help="accept any certificate (unsafe in a network)")
    add(
        "--answer-seconds",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="timeout for the response to a request; default: 30",
    )


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", run, "start a run; the pipeline is uploaded if it has changed", EXIT_CODES)
    parser.add_argument("--name", help=f"name of the run; default: {NAME} and the time")
    parser.add_argument("--wait", action="store_true", help="wait until the run has ended and print what happens")
    _add_waiting(parser)
    _add_pipeline(parser)


def _add_schedule(commands: Any) -> None:
    parser = _command(
        commands,
        "schedule",
        schedules.schedule,
        "create or update a schedule",
        """If the schedule exists and is the same, nothing is done. If it differs, a new schedule replaces the old one,
which is paused, and deleted if none of its runs goes on, else by the next command of this kind. A schedule does not
catch up on missed runs, and starts no run while its last one goes on.

cron: minute, hour, day of month, month, day of week (0 is Sunday), or six fields with the second first. They are in the
server's time zone: UTC, unless its administrator set CRON_SCHEDULE_TIMEZONE.

example: python -m pipelines.submit schedule --cron "30 2 1 * *" --name monthly --set seeds=5""",
    )
    parser.add_argument("--cron", required=True, metavar="FIELDS", help=f"times, for example {cron.EXAMPLE}")
    _add_name(parser)
    parser.add_argument("--paused", action="store_true", help="the schedule is paused; default: it is on")
    parser.add_argument("--run-now", action="store_true", help="also start one run at once")
    parser.add_argument("--stop-runs", action="store_true", help="delete the old schedule at once, stopping its run")
    _add_pipeline(parser)


def _add_delete(commands: Any) -> None:
    text = "delete a schedule, once none of its runs goes on"
    parser = _command(commands, "delete", schedules.delete, text, DELETING)
    _add_name(parser)
    parser.add_argument("--wait", action="store_true", help="wait until its run has ended, then delete it")
    _add_waiting(parser)
    parser.add_argument("--stop-runs", action="store_true", help="delete it at once, which stops its run for good")


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=NAME, help="name of the schedule; default: %(default)s")


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--wait-timeout", type=_seconds, metavar="SECONDS", help="with --wait: wait at most this long")
    add("--poll", type=_seconds, default=10.0, metavar="SECONDS", help="with --wait: time between checks; default: 10")


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Adds the options for what is run: the pipeline, its parameters, its experiment."""
    parser.add_argument("--experiment", metavar="NAME", help=f"experiment of the runs; default: {NAME}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be repeated")
    parser.add_argument("--parameters", type=Path, metavar="FILE", help="parameters, YAML or JSON; --set comes first")
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="take no result from the cache")
    parser.add_argument("--yaml", type=Path, metavar="FILE", help="a compiled pipeline; default: compile it now")
    settings_options.add_options(parser)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)) and float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
