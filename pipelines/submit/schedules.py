"""The commands for schedules: schedule, list, pause, resume, delete.

A schedule is a recurring run of Kubeflow, which cannot be changed: a changed schedule is a new recurring run of the
same name. Where there are several of one name, the newest is the schedule and the others were replaced.
"""

import argparse
import itertools
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from components.console import UserError
from pipelines.overview import columns
from pipelines.submit import cron, definition
from pipelines.submit.package import NAME, Package
from pipelines.submit.preparation import connect, experiment, prepared, upload

if TYPE_CHECKING:
    from kfp_server_api import V2beta1RecurringRun

    from pipelines.submit.server import Server

RUN_GOES_ON = 3
"""Exit code where a schedule was not deleted because its run goes on."""

SETTLE_SECONDS = 5.0
"""Pause after pausing a schedule, until a run that it may have just started is listed."""


def schedule(arguments: argparse.Namespace) -> int:
    """Creates the schedule, or replaces it if it has changed.

    Returns:
        The exit code.
    """
    timing = cron.parse(arguments.cron)
    with prepared(arguments) as (pipeline, parameters):
        server = connect(arguments)
        if server is None:
            return 0
        pipeline_id, version_id = upload(server, pipeline)
        experiment_id = experiment(server, arguments.experiment)
    wanted = definition.Definition(
        cron=timing.expression,
        parameters=pipeline.effective(parameters),
        version=version_id,
        experiment=experiment_id,
        settings=(True, 1),
    )
    present = server.recurring_runs(pipeline_id, arguments.name)
    enabled = not arguments.paused
    kept = _keep_or_create(server, arguments.name, enabled, present, pipeline, wanted, pipeline_id, parameters)
    for found in present:
        if found.recurring_run_id != kept:
            _delete_when_idle(server, arguments, found, "old ", stop=arguments.stop_runs)
    _print_next_times(timing, enabled)
    if arguments.run_now:
        name = f"{arguments.name} {datetime.now():%Y-%m-%d %H-%M-%S}"
        if run_id := server.start_run(name, experiment_id, pipeline_id, version_id, parameters):
            print(f"link: {server.link('runs', run_id)}", flush=True)
    return 0


def _keep_or_create(
    server: "Server",
    name: str,
    enabled: bool,
    present: "Sequence[V2beta1RecurringRun]",
    pipeline: Package,
    wanted: definition.Definition,
    pipeline_id: str,
    parameters: dict[str, Any],
) -> str:
    """Pauses or resumes the newest schedule if it is what is wanted, else creates a new one; returns its id."""
    if present and definition.of(present[0], pipeline) == wanted:
        kept: str = present[0].recurring_run_id
        if _is_enabled(present[0]) != enabled:
            server.switch_recurring_run(name, kept, enabled)
        elif len(present) == 1:
            print(f"the schedule {name!r} is unchanged", flush=True)
        return kept
    for change in definition.changes(present, pipeline, wanted):
        print(f"changed: {change}", flush=True)
    # The old one is deleted after the new one is created, and only when none of its runs goes on: until then two have
    # this name, of which the newest counts, and the next command deletes the old one.
    return server.create_recurring_run(
        name, wanted["cron"], enabled, wanted["experiment"], pipeline_id, wanted["version"], parameters
    )


def list_schedules(arguments: argparse.Namespace) -> int:
    """Prints the pipeline's schedules.

    Returns:
        The exit code.
    """
    server = connect(arguments)
    if server is None:
        return 0
    pipeline_id = server.find_pipeline(NAME)
    present = server.recurring_runs(pipeline_id)
    if pipeline_id is None or not present:
        print(f"{NAME} has no schedules here")
        return 0
    versions = server.version_names(pipeline_id)
    rows = [("name", "state", "cron (seconds first)", "next, UTC", "version", "id")]
    newest = {found.display_name: found.recurring_run_id for found in reversed(present)}
    for found in sorted(present, key=lambda one: one.display_name):
        fields = definition.expression(found)
        version = (found.pipeline_version_reference and found.pipeline_version_reference.pipeline_version_id) or ""
        rows.append(
            (
                found.display_name,
                _state(found, newest[found.display_name]),
                fields or "-",
                _next_time(fields) if _is_enabled(found) else "-",
                versions.get(version, version),
                found.recurring_run_id,
            )
        )
    print(columns(rows))
    return 0


def pause(arguments: argparse.Namespace) -> int:
    """Pauses a schedule.

    Returns:
        The exit code.
    """
    return _switch(arguments, enabled=False)


def resume(arguments: argparse.Namespace) -> int:
    """Resumes a schedule.

    Returns:
        The exit code.
    """
    return _switch(arguments, enabled=True)


def delete(arguments: argparse.Namespace) -> int:
    """Deletes a schedule if none of its runs goes on; with --wait, as soon as none does.

    Returns:
        The exit code.
    """
    server = connect(arguments)
    if server is None:
        return 0
    poll = arguments.poll if arguments.wait else None
    end = time.monotonic() + (arguments.wait_timeout or math.inf)
    deleted = [
        _delete_when_idle(server, arguments, found, "", poll, end, arguments.stop_runs)
        for found in _named(server, arguments.name)
    ]
    return 0 if all(deleted) else RUN_GOES_ON


def _switch(arguments: argparse.Namespace, enabled: bool) -> int:
    server = connect(arguments)
    if server is None:
        return 0
    present = _named(server, arguments.name)
    # Schedules that were replaced have the same name: all are paused, but only the newest is resumed.
    changing = [found for found in (present[:1] if enabled else present) if _is_enabled(found) != enabled]
    for found in changing:
        server.switch_recurring_run(arguments.name, found.recurring_run_id, enabled)
    if not changing:
        print(f"the schedule {arguments.name!r} is already {'on' if enabled else 'paused'}", flush=True)
    return 0


def _named(server: "Server", name: str) -> "list[V2beta1RecurringRun]":
    """The recurring runs of this name, newest first.

    Raises:
        UserError: there are none.
    """
    every = server.recurring_runs(server.find_pipeline(NAME))
    present = [found for found in every if found.display_name == name]
    if not present:
        names = ", ".join(sorted({repr(found.display_name) for found in every})) or "none"
        raise UserError(f"{NAME} has no schedule {name!r} here: give --name one of those it has ({names})")
    return present


def _delete_when_idle(
    server: "Server",
    arguments: argparse.Namespace,
    found: "V2beta1RecurringRun",
    which: str,
    poll: float | None = None,
    end: float = math.inf,
    stop: bool = False,
) -> bool:
    """Pauses a recurring run, and deletes it if none of its runs goes on: deleting it would stop them.

    Args:
        server: that has it.
        arguments: the command line.
        found: the recurring run.
        which: "old " for one that was replaced, for messages.
        poll: seconds between two checks whether its runs have ended; None checks once.
        end: when to stop checking, on the clock of `time.monotonic`.
        stop: delete it although that stops its runs.

    Returns:
        Whether it was deleted.
    """
    identifier = found.recurring_run_id
    title = f"the {which}schedule {arguments.name!r} ({identifier})"
    if _is_enabled(found):
        server.switch_recurring_run(arguments.name, identifier, False)
        # A run that was started at this moment is not listed at once.
        time.sleep(0 if arguments.dry_run else SETTLE_SECONDS)
    explained = False
    while (runs := server.unfinished_runs(identifier)) and not stop:
        if not explained:
            links = ", ".join(server.link("runs", run.run_id) for run in runs)
            stays = "would be paused and stay" if arguments.dry_run else "is paused and stays"
            print(f"{title} {stays} until its run has ended, since deleting it would stop the run: {links}", flush=True)
            explained = True
        if poll is None or arguments.dry_run or time.monotonic() >= end:
            print("then give this command again", flush=True)
            return False
        time.sleep(poll)
    for run in runs:
        print(f"this stops its run: {server.link('runs', run.run_id)}", flush=True)
    server.delete_recurring_run(arguments.name, identifier, which)
    return True


def _state(found: "V2beta1RecurringRun", newest: str) -> str:
    if found.recurring_run_id != newest:
        return "replaced"
    return "on" if _is_enabled(found) else "paused"


def _is_enabled(found: "V2beta1RecurringRun") -> bool:
    return found.mode == "ENABLE"


def _print_next_times(timing: cron.Cron, enabled: bool) -> None:
    coming = itertools.islice(timing.coming(datetime.now(UTC)), 2)
    times = ", then ".join(f"{time_:%a %Y-%m-%d %H:%M:%S}" for time_ in coming)
    print(f"next runs of {timing.expression!r}: {times} UTC{'' if enabled else ', once it is resumed'}", flush=True)


def _next_time(expression: str) -> str:
    try:
        return f"{next(cron.parse(expression).coming(datetime.now(UTC))):%a %Y-%m-%d %H:%M:%S}"
    except UserError:
        return "-"
