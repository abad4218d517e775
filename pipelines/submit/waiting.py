"""Waits for a run's end on a Kubeflow server, and says what changes on the way.

kfp's own way to wait knows nothing of cancelled runs, for which it waits for ever, and says nothing while it waits.
"""

import re
import sys
import time

from kfp_server_api import V2beta1Run

from components import console
from components.console import UserError
from pipelines.submit import run_states
from pipelines.submit.kubeflow import RefusedError, Server, UnansweredError
from pipelines.submit.package import Package
from pipelines.submit.run_states import TaskState

SUCCEEDED, FAILED, TIMED_OUT, STOPPED = 0, 1, 3, 130
"""Exit codes."""
AWAY_SECONDS = 600
"""How long a server may be away (an upgrade, say) before waiting for a run ends."""
PENDING_SECONDS = 30
"""How long a pod may take to start before that is worth a line."""
QUIET_SECONDS = 300
"""After so long without news it is looked whether the run still exists in the cluster, and then again."""
MISSING_LOOKS = 3
"""So many looks in a row that do not find a run, or the log of a pod, are no accident."""

_LAUNCHER = re.compile(r"[IWEF]\d{4} |\[KFP Executor ")
_FATAL = re.compile(r"F\d{4} [^\]]*\] (?!failed to execute component: exit status)(.+)")
_TRACEBACK = "Traceback (most recent call last):"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def wait(
    server: Server,
    run_id: str,
    package: Package,
    poll: float,
    timeout: float | None,
    away: float = AWAY_SECONDS,
) -> int:
    """Waits for a run's end; prints every change of the state of one of the pipeline's tasks.

    Args:
        server: where it runs.
        run_id: whose end.
        package: the pipeline, for what its tasks are called and need.
        poll: seconds between two looks.
        timeout: seconds after which to stop waiting (the run goes on); None for no limit.
        away: seconds that the server may be silent before waiting ends.

    Returns:
        The exit code.

    Raises:
        UserError: the server refuses to answer, or is away for too long.
    """
    begun = heard = time.monotonic()
    missing = 0
    watch = _Watch(server, run_id, package)
    link = server.link("runs", run_id)
    try:
        while True:
            try:
                run = server.get_run(run_id)
                heard, missing = time.monotonic(), 0
                watch.look(run)
                if run.state in run_states.ENDED:
                    return watch.end(run)
                if watch.is_orphaned(run):
                    _say_error(
                        "the run says that it goes on, but the schedule that started it was deleted, and its workflow "
                        f"with it, so it never ends: {link}"
                    )
                    return FAILED
            except UnansweredError as error:
                if time.monotonic() - heard > away:
                    raise
                console.say("submit", f"{error}; still waiting")
            except RefusedError as error:
                missing += 1
                if error.status != 404:
                    raise
                if missing < MISSING_LOOKS:
                    time.sleep(poll)
                    continue
                _say_error(f"the run was deleted while it was waited for: {link}")
                return FAILED
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


class _Watch:
    """What has been said of a run."""

    def __init__(self, server: Server, run_id: str, package: Package):
        self._server, self._run_id, self._package = server, run_id, package
        self._begun = self._looked = time.monotonic()
        self._said: dict[str, str] = {}
        self._waiting_since: dict[str, float] = {}
        self._read: set[str] = set()
        self._missed = 0

    def look(self, run: V2beta1Run) -> None:
        """Prints what is in another state than last time."""
        ended = run.state in run_states.ENDED
        named = {"PENDING": "waiting", "RUNNING": "started", None: "unknown"}
        state = named.get(run.state) or run.state.lower()
        if not ended:
            self._say("", "run", state)
        for task in run_states.task_states(run, self._package.titles):
            now = self._has_started(run, task) if task.state == run_states.UNCLEAR else task.state
            if now == run_states.WAITING:
                since = self._waiting_since.setdefault(task.identifier, time.monotonic())
                if time.monotonic() - since >= PENDING_SECONDS and not ended:
                    self._say(task.identifier, task.title, f"waiting to start{self._needs(task)}")
            elif now != run_states.UNCLEAR and (ended or now != run_states.NOT_RUN):
                news = self._say(task.identifier, task.title, now)
                if news and now == run_states.FAILED and not run_states.was_canceled(run):
                    _say_error(f"{task.title}: {self._reason(run, task)}")
        if ended:
            self._say("", "run", state)

    def end(self, run: V2beta1Run) -> int:
        """Prints why the run ended as it did; gives the exit code."""
        if run.state == "SUCCEEDED":
            return SUCCEEDED
        reason = f": {run.error.message}" if run.error and run.error.message else ""
        how = "was cancelled" if run_states.was_canceled(run) else f"ended as {run.state.lower()}"
        _say_error(f"the run {how}{reason}")
        return FAILED

    def is_orphaned(self, run: V2beta1Run) -> bool:
        """Whether a run that says it goes on cannot end, since the schedule that started it is no more.

        Where its pods' logs were there and are not any more, its workflow may have been deleted too, or the server may
        just not be able to read them: then that is said, and no more.
        """
        if time.monotonic() - self._looked < QUIET_SECONDS or run.state != "RUNNING":
            return False
        self._looked = time.monotonic()
        if run.recurring_run_id and not self._server.has_recurring_run(run.recurring_run_id):
            return True
        running = [
            pod
            for task in run_states.task_states(run, self._package.titles)
            if task.state == run_states.STARTED and (pod := run_states.pod_of(run, task.name))
        ]
        readable = [pod for pod in running if self._read_log(pod) is not None]
        self._missed = self._missed + 1 if running and not readable and self._read >= set(running) else 0
        if self._missed == MISSING_LOOKS:
            console.say(
                "submit",
                "the logs of the run's pods cannot be read any more: if its workflow was deleted, it never ends "
                f"({self._server.link('runs', self._run_id)})",
            )
        return False

    def _say(self, identifier: str, title: str, state: str) -> bool:
        """Prints a state unless it was the last one that was printed; gives whether it was."""
        if self._said.get(identifier) == state:
            return False
        self._said[identifier] = state
        self._looked = time.monotonic()
        minutes, rest = divmod(int(time.monotonic() - self._begun), 60)
        print(f"{minutes:3d}:{rest:02d}  {title}: {state}", flush=True)
        return True

    def _has_started(self, run: V2beta1Run, task: TaskState) -> str:
        """Whether a pod has started of which the states do not tell: then there is a log."""
        if self._said.get(task.identifier) == run_states.STARTED:
            return run_states.STARTED
        pod = run_states.pod_of(run, task.name)
        if pod is None:
            return run_states.UNCLEAR
        if self._read_log(pod) is not None:
            return run_states.STARTED
        # Where no log can be read at all, nothing follows from that.
        return run_states.WAITING if self._read else run_states.UNCLEAR

    def _read_log(self, pod: str) -> str | None:
        log = self._server.read_log(self._run_id, pod)
        if log is not None:
            self._read.add(pod)
        return log

    def _needs(self, task: TaskState) -> str:
        needs = self._package.needs(task.name)
        return f": needs a node with {needs} free" if needs else ""

    def _reason(self, run: V2beta1Run, task: TaskState) -> str:
        """Why a task failed, in the words of its own log."""
        pod = run_states.pod_of(run, task.name)
        log = self._read_log(pod) if pod else None
        if log is None:
            return "failed; its log cannot be read, so the reason is unknown"
        lines = [_CONTROL.sub("", line) for line in log.splitlines()]
        said = [line.partition(f"{console.PREFIX}error: ")[2] for line in lines if f"{console.PREFIX}error: " in line]
        if said:
            return said[-1]
        if exception := _last_exception(lines):
            return f"failed: {exception}"
        if fatal := [found[1] for line in lines if (found := _FATAL.match(line))]:
            return f"failed: {fatal[-1]}"
        return (
            "failed; its log names no reason, so that is unknown (a step that is killed for its memory cannot name "
            "one: --memory gives it more)"
        )


def _last_exception(lines: list[str]) -> str:
    """The exception that a log ends with; "" where the step wrote something after its last traceback, or has none."""
    own = [line for line in lines if line.strip() and not _LAUNCHER.match(line)]
    begins = [number for number, line in enumerate(own) if line.startswith(_TRACEBACK)]
    unindented = [line for line in own[begins[-1] + 1 :] if not line.startswith(" ")] if begins else []
    return unindented[0] if len(unindented) == 1 else ""


def _say_error(message: str) -> None:
    print(f"{console.PREFIX}error: {' '.join(_CONTROL.sub('', message).split())}", file=sys.stderr, flush=True)
