"""Waits for a run's end on a Kubeflow server, and says what changes on the way.

kfp's own way to wait knows nothing of cancelled runs, for which it waits for ever, and says nothing while it waits.
"""

import sys
import time
from collections.abc import Mapping

from kfp_server_api import V2beta1Run

from components import console
from components.console import UserError
from pipelines.kubeflow import Server, UnansweredError
from pipelines.package import NAME

SUCCEEDED, FAILED, TIMED_OUT, STOPPED = 0, 1, 3, 130
"""Exit codes."""
AWAY_SECONDS = 600
"""How long a server may be away (an upgrade, say) before waiting for a run ends."""

_ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
# What Kubeflow lists beside the pipeline's own tasks.
_MACHINERY = ("root", "executor")


def wait(
    server: Server,
    run_id: str,
    titles: Mapping[str, str],
    poll: float,
    timeout: float | None,
    away: float = AWAY_SECONDS,
) -> int:
    """Waits for a run's end; prints every change of the state of a task.

    Args:
        server: where it runs.
        run_id: whose end.
        titles: of the tasks, by their names in the graph.
        poll: seconds between two looks.
        timeout: seconds after which to stop waiting (the run goes on); None for no limit.
        away: seconds that the server may be silent before waiting ends.

    Returns:
        The exit code.

    Raises:
        UserError: the server refuses to answer, or is away for too long.
    """
    begun = heard = time.monotonic()
    states: dict[str, str] = {}
    link = server.link("runs", run_id)
    try:
        while True:
            try:
                run = server.get_run(run_id)
                heard = time.monotonic()
            except UnansweredError as error:
                if time.monotonic() - heard > away:
                    raise
                console.say("submit", f"{error}; still waiting")
            else:
                _say_changes(run, titles, states, time.monotonic() - begun)
                if run.state in _ENDED:
                    return _say_end(run)
            left = float("inf") if timeout is None else begun + timeout - time.monotonic()
            if left <= 0:
                _say_error(f"the run has not ended after {timeout:g} s and goes on: {link}")
                return TIMED_OUT
            time.sleep(min(poll, left))
    except KeyboardInterrupt:
        _say_error(f"stopped waiting; the run goes on: {link}")
        return STOPPED
    except UserError as error:
        raise UserError(f"{error}; the run goes on: {link}") from None


def _say_changes(run: V2beta1Run, titles: Mapping[str, str], states: dict[str, str], seconds: float) -> None:
    """Prints what is in another state than `states` holds, and notes it there."""
    now = {"": ("run", run.state)}
    for task in (run.run_details and run.run_details.task_details) or []:
        name = task.display_name or ""
        # A driver prepares a task; the workflow itself is listed under a name that begins with the pipeline's.
        if name and name not in _MACHINERY and not name.endswith("-driver") and not name.startswith(f"{NAME}-"):
            now[task.task_id] = (titles.get(name, name), task.state)
    minutes, rest = divmod(int(seconds), 60)
    for identifier, (title, state) in now.items():
        if state and states.get(identifier) != state:
            states[identifier] = state
            print(f"{minutes:3d}:{rest:02d}  {title}: {state.lower()}", flush=True)


def _say_end(run: V2beta1Run) -> int:
    if run.state == "SUCCEEDED":
        return SUCCEEDED
    reason = f": {run.error.message}" if run.error and run.error.message else ""
    _say_error(f"the run ended as {run.state.lower()}{reason}")
    return FAILED


def _say_error(message: str) -> None:
    print(f"{console.PREFIX}error: {' '.join(message.split())}", file=sys.stderr, flush=True)
