"""Runs the pipeline on a Kubeflow cluster, once or on a schedule: python -m pipelines.submit."""

import argparse
import contextlib
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import console
from components.console import UserError
from pipelines import settings
from pipelines.submit import cron, package
from pipelines.submit.package import NAME, Package

if TYPE_CHECKING:
    from kfp_server_api import V2beta1RecurringRun

    from pipelines.submit.kubeflow import Server

EXIT_CODES = """exit codes: 0 done (with --wait: the run succeeded), 1 the run failed, was cancelled or is no longer
in the cluster, 2 a mistake, or a server that refuses or does not answer, 3 a run goes on (it did not end within
--wait-timeout, or the schedule to delete waits for it)"""
GOES_ON = 3

SETTLE_SECONDS = 5.0
"""After pausing a schedule, until the run that it may just have started is listed."""


DELETING = """Kubeflow stops the run of a schedule that is deleted, and lists it as running for ever. So the schedule is
paused, and deleted only when its run has ended: by this command, given again, or at once with --wait. The runs that
have ended stay."""


def main(words: Sequence[str] | None = None) -> int:
    """Reads the command line, does what it says.

    Returns:
        The exit code: 0 done, or the run succeeded; 1 the run failed; 3 it did not end in time; 130 after Ctrl-C.

    Raises:
        SystemExit: with code 2 for a mistake, or a server that does not answer or refuses.
    """
    arguments = _parser().parse_args(words)
    with console.plain_errors():
        return arguments.command(arguments)


# The commands


def run(arguments: argparse.Namespace) -> int:
    """Uploads the pipeline where it changed, and starts a run."""
    if arguments.wait_timeout and not arguments.wait:
        raise UserError("--wait-timeout has no effect without --wait: give that too, or leave it out")
    name = arguments.name or f"{NAME} {datetime.now():%Y-%m-%d %H-%M-%S}"
    with _prepared(arguments) as (pipeline, parameters):
        server = _connect(arguments)
        if server is None:
            return 0
        pipeline_id, version_id = _upload(server, pipeline)
        experiment_id = _experiment(server, arguments.experiment)
        run_id = server.start_run(name, experiment_id, pipeline_id, version_id, parameters)
    if arguments.dry_run:
        return 0
    print(f"link: {server.link('runs', run_id)}", flush=True)
    if not arguments.wait:
        return 0
    from pipelines.submit import waiting  # noqa: PLC0415 (loads kfp)

    return waiting.wait(server, run_id, pipeline, arguments.poll, arguments.wait_timeout)


def schedule(arguments: argparse.Namespace) -> int:
    """Makes the schedule of this name what the command line says, whatever it was."""
    timing = cron.parse(arguments.cron)
    with _prepared(arguments) as (pipeline, parameters):
        server = _connect(arguments)
        if server is None:
            return 0
        pipeline_id, version_id = _upload(server, pipeline)
        experiment_id = _experiment(server, arguments.experiment)
    wanted = {
        "cron": timing.expression,
        "parameters": pipeline.effective(parameters),
        "version": version_id,
        "experiment": experiment_id,
        "settings": (True, 1),
    }
    present = server.recurring_runs(pipeline_id, arguments.name)
    # Older ones of this name were replaced, and only wait for the ends of their runs.
    same = [found for found in present[:1] if _described(found, pipeline) == wanted]
    enabled = not arguments.paused
    if same:
        kept = same[0].recurring_run_id
        if _is_enabled(same[0]) != enabled:
            server.switch_recurring_run(arguments.name, kept, enabled)
        elif len(present) == 1:
            print(f"the schedule {arguments.name!r} is unchanged", flush=True)
    else:
        for reason in _changes(present, pipeline, wanted):
            print(f"changed: {reason}", flush=True)
        # The old one goes only when the new one is there, and none of its runs goes on: until then there are two of
        # this name, of which the newest counts, and the next command deletes the old one.
        kept = server.create_recurring_run(
            arguments.name, timing.expression, enabled, experiment_id, pipeline_id, version_id, parameters
        )
    for found in present:
        if found.recurring_run_id != kept:
            _retire(server, arguments, found, "old ", stop=arguments.stop_runs)
    _say_when(timing, enabled)
    if arguments.run_now:
        name = f"{arguments.name} {datetime.now():%Y-%m-%d %H-%M-%S}"
        run_id = server.start_run(name, experiment_id, pipeline_id, version_id, parameters)
        if run_id:
            print(f"link: {server.link('runs', run_id)}", flush=True)
    return 0


def list_schedules(arguments: argparse.Namespace) -> int:
    """Prints the pipeline's schedules."""
    server = _connect(arguments)
    if server is None:
        return 0
    pipeline_id = server.find_pipeline(NAME)
    present = server.recurring_runs(pipeline_id)
    if not present:
        print(f"{NAME} has no schedules here")
        return 0
    versions = server.version_names(pipeline_id)
    rows = [("name", "state", "cron (seconds first)", "next, UTC", "version", "id")]
    newest = {found.display_name: found.recurring_run_id for found in reversed(present)}
    for found in sorted(present, key=lambda one: one.display_name):
        expression = _expression(found)
        version = (found.pipeline_version_reference and found.pipeline_version_reference.pipeline_version_id) or ""
        rows.append(
            (
                found.display_name,
                _state(found, newest[found.display_name]),
                expression or "-",
                _next(expression) if _is_enabled(found) else "-",
                versions.get(version, version),
                found.recurring_run_id,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _state(found: "V2beta1RecurringRun", newest: str) -> str:
    if found.recurring_run_id != newest:
        return "replaced"
    return "on" if _is_enabled(found) else "paused"


def pause(arguments: argparse.Namespace) -> int:
    """Pauses a schedule."""
    return _switch(arguments, enabled=False)


def resume(arguments: argparse.Namespace) -> int:
    """Resumes a schedule."""
    return _switch(arguments, enabled=True)


def _switch(arguments: argparse.Namespace, enabled: bool) -> int:
    server, present = _named_schedules(arguments)
    # Those that were replaced have the same name: all are paused, but only the newest is resumed.
    changing = [found for found in (present[:1] if enabled else present) if _is_enabled(found) != enabled]
    for found in changing:
        server.switch_recurring_run(arguments.name, found.recurring_run_id, enabled)
    if present and not changing:
        print(f"the schedule {arguments.name!r} is already {'on' if enabled else 'paused'}", flush=True)
    return 0


def delete(arguments: argparse.Namespace) -> int:
    """Deletes a schedule, once none of its runs goes on."""
    server, present = _named_schedules(arguments)
    poll = arguments.poll if arguments.wait else None
    ends = time.monotonic() + (arguments.wait_timeout or math.inf)
    gone = [_retire(server, arguments, found, "", poll, ends, arguments.stop_runs) for found in present]
    return 0 if all(gone) else GOES_ON


def _retire(
    server: "Server",
    arguments: argparse.Namespace,
    found: "V2beta1RecurringRun",
    which: str = "",
    poll: float | None = None,
    ends: float = math.inf,
    stop: bool = False,
) -> bool:
    """Deletes a recurring run, which would end those of its runs that go on: it is paused until there are none.

    Args:
        server: where it is.
        arguments: the command line.
        found: the recurring run.
        which: "old " for one that was replaced.
        poll: seconds between two looks whether its runs have ended; None looks once.
        ends: when to stop looking, on the clock of `time.monotonic`.
        stop: delete it although that ends its runs.

    Returns:
        Whether it was deleted.
    """
    identifier = found.recurring_run_id
    schedule_ = f"the {which}schedule {arguments.name!r} ({identifier})"
    if _is_enabled(found):
        server.switch_recurring_run(arguments.name, identifier, False)
        # A run that was due just now is not listed at once.
        time.sleep(0 if arguments.dry_run else SETTLE_SECONDS)
    said = False
    while (runs := server.unfinished_runs(identifier)) and not stop:
        if not said:
            links = ", ".join(server.link("runs", run.run_id) for run in runs)
            stays = "would be paused and stay" if arguments.dry_run else "is paused and stays"
            print(f"{schedule_} {stays} until its run has ended, which deleting it would stop: {links}", flush=True)
            said = True
        if poll is None or arguments.dry_run or time.monotonic() >= ends:
            print("then give this command again", flush=True)
            return False
        time.sleep(poll)
    for run in runs:
        print(f"its run ends with it: {server.link('runs', run.run_id)}", flush=True)
    server.delete_recurring_run(arguments.name, identifier, which)
    return True


def _named_schedules(arguments: argparse.Namespace) -> "tuple[Server | None, list[V2beta1RecurringRun]]":
    """The server, and the recurring runs of this name, newest first; at least one unless the server does not answer."""
    server = _connect(arguments)
    if server is None:
        return None, []
    every = server.recurring_runs(server.find_pipeline(NAME))
    present = [found for found in every if found.display_name == arguments.name]
    if not present:
        names = ", ".join(sorted({repr(found.display_name) for found in every})) or "none"
        raise UserError(f"{NAME} has no schedule {arguments.name!r} here: give --name one of those it has ({names})")
    return server, present


# What the commands share


@contextlib.contextmanager
def _prepared(arguments: argparse.Namespace) -> Iterator[tuple[Package, dict[str, Any]]]:
    """The pipeline's YAML, compiled unless given, and the checked parameters; files made on the way go at the end."""
    if arguments.yaml and (given := _given_settings(arguments)):
        raise UserError(f"--yaml {arguments.yaml} is compiled already, so {given[0]} cannot change it: leave out one")
    texts = package.split_words(arguments.set)
    values = package.read_file(arguments.parameters) if arguments.parameters else {}
    with tempfile.TemporaryDirectory() as folder:
        pipeline = package.load(arguments.yaml or _compiled(arguments, Path(folder)))
        if not arguments.cache:
            pipeline = package.without_cache(pipeline, Path(folder) / "uncached.yaml")
        parameters = package.check(pipeline, values, texts)
        # A YAML that was compiled before is sent as it is.
        if arguments.cache and not arguments.yaml and package.pins_source(pipeline, parameters):
            pipeline, parameters = package.with_pinned_source(pipeline, parameters, Path(folder) / "pinned.yaml")
            print("the source cannot change, so ingest may come from Kubeflow's cache (--no-cache: never)")
        print(f"version: {pipeline.version}")
        print(f"parameters: {', '.join(f'{key}={value}' for key, value in parameters.items()) or 'the defaults'}")
        yield pipeline, parameters


def _compiled(arguments: argparse.Namespace, folder: Path) -> Path:
    """Compiles the pipeline into a folder as compile.py does; gives the YAML."""
    chosen = settings.read(arguments)
    from pipelines.compiling import compile_all  # noqa: PLC0415 (loads kfp, which takes a second that a mistake need not wait for)

    return compile_all(chosen, folder)[0]


def _given_settings(arguments: argparse.Namespace) -> list[str]:
    """The options for compiling that the command line gives."""
    parser = argparse.ArgumentParser(add_help=False)
    settings.add_options(parser)
    return [action.option_strings[0] for action in parser._actions if getattr(arguments, action.dest, None) is not None]


def _connect(arguments: argparse.Namespace) -> "Server | None":
    """The server; None in a dry run where it does not answer."""
    from pipelines.submit import kubeflow  # noqa: PLC0415 (loads kfp)

    connection = kubeflow.Connection(
        host=arguments.host,
        ui_host=arguments.ui_host,
        namespace=arguments.namespace,
        client_id=arguments.client_id,
        other_client_id=arguments.other_client_id,
        token_file=arguments.existing_token_file,
        kube_context=arguments.kube_context,
        proxy=arguments.proxy,
        ssl_ca_cert=arguments.ssl_ca_cert,
        verify_ssl=arguments.verify_ssl,
        answer_seconds=arguments.answer_seconds,
    )
    try:
        return kubeflow.Server(connection, arguments.dry_run)
    except kubeflow.UnansweredError as error:
        if not arguments.dry_run:
            raise
        print(f"dry run: {error}; so what it holds already, and what would be done, is unknown", flush=True)
        return None


def _upload(server: "Server", pipeline: Package) -> tuple[str, str]:
    """The ids of the pipeline and of the version that holds this YAML, both made where they do not exist."""
    pipeline_id = server.find_pipeline(NAME) or server.create_pipeline(NAME)
    version_id = server.find_version(pipeline_id, pipeline.version)
    if version_id:
        print("the server has this version already", flush=True)
    return pipeline_id, version_id or server.upload_version(pipeline_id, pipeline.version, pipeline.path)


def _experiment(server: "Server", given: str | None) -> str:
    """The id of the experiment, named as in kfp's own client."""
    name = (
        os.environ.get("KF_PIPELINES_OVERRIDE_EXPERIMENT_NAME")
        or given
        or os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME")
        or NAME
    )
    return server.find_experiment(name) or server.create_experiment(name)


def _described(found: "V2beta1RecurringRun", pipeline: Package) -> dict[str, Any]:
    """A recurring run on the server, as far as `schedule` decides on it."""
    reference, config = found.pipeline_version_reference, found.runtime_config
    return {
        "cron": _expression(found),
        "parameters": pipeline.effective((config and config.parameters) or {}),
        "version": reference.pipeline_version_id if reference else "",
        "experiment": found.experiment_id,
        "settings": (bool(found.no_catchup), int(found.max_concurrency or 0)),
    }


def _changes(present: "Sequence[V2beta1RecurringRun]", pipeline: Package, wanted: Mapping[str, Any]) -> list[str]:
    """What is different from the newest schedule of this name."""
    if not present:
        return []
    old = _described(present[0], pipeline)
    names = [key for key, value in wanted.items() if old[key] != value]
    if "parameters" in names:
        both = old["parameters"].keys() | wanted["parameters"].keys()
        named = sorted(key for key in both if old["parameters"].get(key) != wanted["parameters"].get(key))
        names[names.index("parameters")] = f"parameters ({', '.join(named)})"
    return names


def _expression(found: "V2beta1RecurringRun") -> str:
    """The cron expression of a recurring run; "" where something else triggers it."""
    timing = found.trigger and found.trigger.cron_schedule
    return " ".join(timing.cron.split()) if timing and timing.cron else ""


def _is_enabled(found: "V2beta1RecurringRun") -> bool:
    return found.mode == "ENABLE"


def _say_when(timing: cron.Cron, enabled: bool) -> None:
    coming = timing.coming(datetime.now(UTC))
    times = ", then ".join(f"{time:%a %Y-%m-%d %H:%M:%S}" for time, _ in zip(coming, range(2), strict=False))
    print(f"{timing.expression!r} is {times} UTC{'' if enabled else ', once it is resumed'}", flush=True)


def _next(expression: str) -> str:
    try:
        return f"{next(cron.parse(expression).coming(datetime.now(UTC))):%a %Y-%m-%d %H:%M:%S}"
    except UserError:
        return "-"


# The command line


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
    for name, command, text in (
        ("list", list_schedules, "list the schedules"),
        ("pause", pause, "pause a schedule"),
        ("resume", resume, "resume a schedule"),
        ("delete", delete, "delete a schedule, once none of its runs goes on"),
    ):
        added = _command(commands, name, command, text)
        if command is not list_schedules:
            added.add_argument("--name", default=NAME, help="which; default: %(default)s")
        if command is delete:
            added.epilog = DELETING
            added.add_argument("--wait", action="store_true", help="wait for the end of its run, then delete it")
            added.add_argument("--wait-timeout", type=_seconds, metavar="SECONDS", help="with --wait: at most so long")
            poll = {"type": _seconds, "default": 10.0, "metavar": "SECONDS"}
            added.add_argument("--poll", **poll, help="with --wait: between looks; default: 10")
            added.add_argument("--stop-runs", action="store_true", help="delete it now, which stops its run for good")
    return parser


def _command(commands: Any, name: str, command: Any, text: str, **options: Any) -> argparse.ArgumentParser:
    """A subcommand with the options that all have."""
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.set_defaults(command=command)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, write nothing to the server")
    add = parser.add_argument_group("the server").add_argument
    add("--host", "--endpoint", metavar="URL", help="of the Kubeflow Pipelines API; default: KF_PIPELINES_ENDPOINT")
    add("--ui-host", metavar="URL", help="of the web interface, for links; default: the host")
    add("--namespace", "-n", default="kubeflow", metavar="NAME", help="your profile's, on a Kubeflow that has profiles")
    add("--existing-token-file", type=Path, metavar="FILE", help="bearer token; default: KF_PIPELINES_SA_TOKEN_PATH")
    add("--client-id", "--iap-client-id", metavar="ID", help="of Google's Identity-Aware Proxy")
    add("--other-client-id", metavar="ID", help="to log in there from a desktop")
    add("--kube-context", metavar="NAME", help="of the kubeconfig, where no host is given")
    add("--proxy", metavar="URL", help="HTTP proxy")
    add("--ssl-ca-cert", type=Path, metavar="FILE", help="certificates of the authority that signed the server's")
    add("--no-verify-ssl", dest="verify_ssl", action="store_false", help="take any certificate (not over networks)")
    add(
        "--answer-seconds",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for an answer to a request; default: 30",
    )
    return parser


def _add_run(commands: Any) -> None:
    parser = _command(
        commands,
        "run",
        run,
        "start a run; the pipeline is uploaded where it changed",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--name", help=f"the run's; default: {NAME} and the time")
    parser.add_argument("--wait", action="store_true", help="wait for the run's end and say what happens")
    parser.add_argument("--wait-timeout", type=_seconds, metavar="SECONDS", help="with --wait: at most so long")
    parser.add_argument(
        "--poll", type=_seconds, default=10.0, metavar="SECONDS", help="with --wait: between looks; default: 10"
    )
    _add_pipeline(parser)


def _add_schedule(commands: Any) -> None:
    parser = _command(
        commands,
        "schedule",
        schedule,
        "make a schedule what is said here, whether or not there is one of this name",
        epilog="""Said again unchanged, nothing is done; changed, a new schedule replaces the old one, which is paused,
and deleted if none of its runs goes on, else when this command is given again. It does not catch up on what it missed,
and starts no run while its last one goes on.

cron: minute, hour, day of month, month, day of week (0 is Sunday), or six fields with the second first. The server's
time zone counts: UTC, unless its administrator set CRON_SCHEDULE_TIMEZONE.

example: python -m pipelines.submit schedule --cron "30 2 1 * *" --name monthly --set seeds=5""",
    )
    parser.add_argument("--cron", required=True, metavar="FIELDS", help=f"when, for example {cron.EXAMPLE}")
    parser.add_argument("--name", default=NAME, help="the schedule's; default: %(default)s")
    parser.add_argument("--paused", action="store_true", help="have it, but paused; without this it is on")
    parser.add_argument("--run-now", action="store_true", help="start one run at once as well")
    parser.add_argument("--stop-runs", action="store_true", help="delete what is replaced now, which stops its run")
    _add_pipeline(parser)


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    """What is run: the pipeline, its parameters, its experiment."""
    parser.add_argument("--experiment", metavar="NAME", help=f"what the runs are filed under; default: {NAME}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; say it again")
    parser.add_argument("--parameters", type=Path, metavar="FILE", help="parameters, YAML or JSON; --set counts more")
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="take no step from the cache")
    parser.add_argument("--yaml", type=Path, metavar="FILE", help="a compiled pipeline; default: compile it now")
    settings.add_options(parser)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)) and float(text) > 0:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
