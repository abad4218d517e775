"""The command run: starts one run, and waits for its end if asked to."""

import argparse
from datetime import datetime

from components.console import UserError
from pipelines.submit.package import NAME
from pipelines.submit.preparation import connect, experiment, prepared, upload


def run(arguments: argparse.Namespace) -> int:
    """Uploads the pipeline if it has changed, and starts a run.

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
    print(f"link: {server.link('runs', run_id)}", flush=True)
    if not arguments.wait:
        return 0
    from pipelines.submit import waiting  # noqa: PLC0415 (loads kfp)

    return waiting.wait(server, run_id, pipeline, arguments.poll, arguments.wait_timeout)
