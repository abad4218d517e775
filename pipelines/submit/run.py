"""The command run: starts one run, and waits for its end if asked to."""

import argparse
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from components import console
from components.console import UserError
from components.tracking import names
from pipelines.submit.package import NAME, Package
from pipelines.submit.preparation import connect, experiment, prepared, upload

if TYPE_CHECKING:
    from pipelines.submit.server import Server


def run(arguments: argparse.Namespace) -> int:
    """Uploads the pipeline if it has changed, and starts a run; with --wait a second, to confirm an alarm.

    Returns:
        The exit code.
    """
    if arguments.wait_timeout and not arguments.wait:
        raise UserError("--wait-timeout has no effect without --wait: add --wait, or omit --wait-timeout")
    name = arguments.name or f"{NAME} {datetime.now():%Y-%m-%d %H-%M-%S}"
    with prepared(arguments) as (pipeline, parameters):
        server = connect(arguments)
        if server is None:
            return 0
        pipeline_id, version_id = upload(server, pipeline)
        experiment_id = experiment(server, arguments.experiment)
        run_id = server.start_run(name, experiment_id, pipeline_id, version_id, parameters)
    if arguments.dry_run:
        return 0
    code = _follow(server, run_id, pipeline, arguments)
    # A run that lacks a training may have an alarm too; whether that is confirmed is another question.
    other = _other_seeds(pipeline, parameters)
    if not arguments.wait or not other or not _is_suspected(server, run_id, pipeline, code):
        return code
    run_id = server.start_run(f"{name} (confirming)", experiment_id, pipeline_id, version_id, parameters | other)
    later = _follow(server, run_id, pipeline, arguments)
    return names.REGRESSION_CODE if names.REGRESSION_CODE in (code, later) else later or code


def _follow(server: "Server", run_id: str, pipeline: Package, arguments: argparse.Namespace) -> int:
    """Says where a run is, and waits for its end if asked to; gives the exit code."""
    print(f"link: {server.link('runs', run_id)}", flush=True)
    if not arguments.wait:
        return 0
    from pipelines.submit import waiting  # noqa: PLC0415 (loads kfp)

    return waiting.wait(server, run_id, pipeline, arguments.poll, arguments.wait_timeout)


def _is_suspected(server: "Server", run_id: str, pipeline: Package, code: int) -> bool:
    """Whether a run that has ended has an alarm that waits for a confirming run, which is then said."""
    from pipelines.submit import waiting  # noqa: PLC0415 (loads kfp)

    if code not in (waiting.SUCCEEDED, waiting.FAILED, waiting.REGRESSED):
        return False
    found = waiting.suspicions(server, run_id, pipeline)
    for reason in found:
        console.say("submit", f"suspected: {reason}")
    if found:
        console.say("submit", "a run with other seeds follows, which confirms that or does not")
    return bool(found)


def _other_seeds(pipeline: Package, parameters: dict[str, Any]) -> dict[str, int]:
    """The parameter by which a run has none of the seeds of a run with these; empty where the pipeline has no seeds."""
    known = pipeline.effective(parameters)
    if not {"seed", "seeds"} <= known.keys():
        return {}
    return {"seed": int(json.loads(known["seed"]) + json.loads(known["seeds"]))}
