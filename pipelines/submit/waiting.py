"""Waits until a run on a Kubeflow server has ended, and prints each change on the way.

kfp's own method does not know the state of cancelled runs, for which it waits forever, and prints nothing meanwhile.
"""

import re
import sys
import time

from kfp_server_api import V2beta1Run

from components import console
from components.console import UserError
from components.tracking import names
from pipelines.submit import run_states
from pipelines.submit.package import Package
from pipelines.submit.rest import RefusedError, UnansweredError
from pipelines.submit.run_states import TaskState
from pipelines.submit.server import Server

SUCCEEDED, FAILED, TIMED_OUT, REGRESSED, STOPPED = 0, 1, 3, names.REGRESSION_CODE, 130
"""Exit codes."""
RECORD = "Record"
"""Title of the task that records the run and says what the gate has found."""
AWAY_SECONDS = 600
"""How long the server may be unavailable (during an upgrade, for example) before waiting for a run ends."""

PENDING_SECONDS = 30
"""How long a pod may take to start before a line says that it is waiting."""

QUIET_SECONDS = 300
"""Time without a change after which it is checked whether the run still exists in the cluster; repeated as often."""

MISSING_CHECKS = 3
"""A run, or the logs of its pods, are taken for deleted after this many checks in a row that do not find them."""

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
    """Waits until a run has ended; prints every change of the state of one of the pipeline's tasks.

    Args:
        server: on which it runs.
        run_id: the run.
        package: the pipeline, for the titles of its tasks and what they request.
        poll: seconds between two checks.
        timeout: seconds after which to stop waiting (the run goes on); None for no limit.
        away: seconds that the server may be unavailable before waiting ends.

    Returns:
        The exit code.

    Raises:
        UserError: the server refuses to answer, or is unavailable for too long.
    """
    begun = time.monotonic()
    watch = _Watch(server, run_id, package, away)
    link = server.link("runs", run_id)
    try:
        while (code := watch.check()) is None:
            left = float("inf") if timeout is None else begun + timeout - time.monotonic()
            if left <= 0:
                _print_error(f"the run has not ended after {timeout:g} s and goes on: {link}")
                return TIMED_OUT
            time.sleep(min(poll, left))
    except KeyboardInterrupt:
        _print_error(f"stopped waiting; the run goes on: {link}")
        return STOPPED
    except UserError as error:
        raise UserError(f"{error}; the run goes on: {link}") from None
    return code


class _Watch:
    """A run that is waited for, and what has been printed of it.

    Args:
        server: on which it runs.
        run_id: the run.
        package: the pipeline.
        away: seconds that the server may be unavailable.
    """

    def __init__(self, server: Server, run_id: str, package: Package, away: float):
        self._server, self._run_id, self._package, self._away = server, run_id, package, away
        self._link = server.link("runs", run_id)
        # When the run was first watched, when something was last printed or checked, when the server last answered.
        self._begun = self._quiet_since = self._answered = time.monotonic()
        self._printed: dict[str, str] = {}
        self._waiting_since: dict[str, float] = {}
        self._readable: set[str] = set()
        self._missing_runs = self._missing_logs = 0
        self._regressed = False

    def check(self) -> int | None:
        """Asks the server once; returns the exit code if the run has ended, or never will.

        Raises:
            UserError: the server refuses to answer, or has been unavailable for too long.
        """
        try:
            run = self._server.get_run(self._run_id)
            self._answered, self._missing_runs = time.monotonic(), 0
            self._print_changes(run)
            if run.state in run_states.ENDED:
                return self._end(run)
            if not self._is_orphaned(run):
                return None
        except UnansweredError as error:
            if time.monotonic() - self._answered > self._away:
                raise
            console.say("submit", f"{error}; still waiting")
            return None
        except RefusedError as error:
            self._missing_runs += 1
            if error.status != 404:
                raise
            if self._missing_runs < MISSING_CHECKS:
                return None
            _print_error(f"the run was deleted meanwhile: {self._link}")
            return FAILED
        _print_error(
            "the run is listed as running, but the schedule that started it was deleted, and its workflow with it, so "
            f"it never ends: {self._link}"
        )
        return FAILED

    def _print_changes(self, run: V2beta1Run) -> None:
        """Prints the states that differ from those printed before."""
        ended = run.state in run_states.ENDED
        named = {"PENDING": "waiting", "RUNNING": "started", None: "unknown"}
        state = named.get(run.state) or run.state.lower()
        if not ended:
            self._print("", "run", state)
        for task in run_states.task_states(run, self._package.titles):
            now = self._has_started(run, task) if task.state == run_states.UNCLEAR else task.state
            if now == run_states.WAITING:
                since = self._waiting_since.setdefault(task.identifier, time.monotonic())
                if time.monotonic() - since >= PENDING_SECONDS and not ended:
                    self._print(task.identifier, task.title, f"waiting to start{self._needs(task)}")
            elif now != run_states.UNCLEAR and (ended or now != run_states.NOT_RUN):
                news = self._print(task.identifier, task.title, now)
                if news and now == run_states.FAILED and not run_states.was_canceled(run):
                    self._print_reasons(run, task)
        if ended:
            self._print("", "run", state)

    def _end(self, run: V2beta1Run) -> int:
        """Prints why the run failed, if it did; returns the exit code."""
        if run.state == "SUCCEEDED":
            return SUCCEEDED
        reason = f": {run.error.message}" if run.error and run.error.message else ""
        how = "was cancelled" if run_states.was_canceled(run) else f"ended as {run.state.lower()}"
        _print_error(f"the run {how}{reason}")
        return REGRESSED if self._regressed else FAILED

    def _print_reasons(self, run: V2beta1Run, task: TaskState) -> None:
        """Prints why a task failed: of several alarms each, of errors the last."""
        pod = run_states.pod_of(run, task.name)
        log = self._read_log(pod) if pod else None
        regressions = said(log or "", f"error: {names.REGRESSION}") if task.title == RECORD else []
        for line in regressions:
            _print_error(f"{task.title}: {names.REGRESSION}{line}")
        self._regressed = self._regressed or bool(regressions)
        if not regressions:
            _print_error(f"{task.title}: {_reason(log)}")

    def _is_orphaned(self, run: V2beta1Run) -> bool:
        """Whether a run that is listed as running cannot end because the schedule that started it was deleted.

        Where the logs of its pods were readable and no longer are, its workflow may have been deleted as well, or the
        server may just be unable to read them: then a line says so, and waiting goes on.
        """
        if time.monotonic() - self._quiet_since < QUIET_SECONDS or run.state != "RUNNING":
            return False
        self._quiet_since = time.monotonic()
        if run.recurring_run_id and not self._server.has_recurring_run(run.recurring_run_id):
            return True
        running = [
            pod
            for task in run_states.task_states(run, self._package.titles)
            if task.state == run_states.STARTED and (pod := run_states.pod_of(run, task.name))
        ]
        readable = [pod for pod in running if self._read_log(pod) is not None]
        missing = running and not readable and self._readable >= set(running)
        self._missing_logs = self._missing_logs + 1 if missing else 0
        if self._missing_logs == MISSING_CHECKS:
            console.say(
                "submit",
                "the logs of the run's pods cannot be read any more: if its workflow was deleted, it never ends "
                f"({self._link})",
            )
        return False

    def _print(self, identifier: str, title: str, state: str) -> bool:
        """Prints a state unless it is the one printed last; returns whether it was printed."""
        if self._printed.get(identifier) == state:
            return False
        self._printed[identifier] = state
        self._quiet_since = time.monotonic()
        minutes, rest = divmod(int(time.monotonic() - self._begun), 60)
        print(f"{minutes:3d}:{rest:02d}  {title}: {state}", flush=True)
        return True

    def _has_started(self, run: V2beta1Run, task: TaskState) -> str:
        """Whether a pod has started where the states do not show it: it has if it has a log."""
        if self._printed.get(task.identifier) == run_states.STARTED:
            return run_states.STARTED
        pod = run_states.pod_of(run, task.name)
        if pod is None:
            return run_states.UNCLEAR
        if self._read_log(pod) is not None:
            return run_states.STARTED
        # If no log has ever been readable, this one tells nothing.
        return run_states.WAITING if self._readable else run_states.UNCLEAR

    def _read_log(self, pod: str) -> str | None:
        log = self._server.read_log(self._run_id, pod)
        if log is not None:
            self._readable.add(pod)
        return log

    def _needs(self, task: TaskState) -> str:
        needs = self._package.needs(task.name)
        return f": needs a node with {needs} free" if needs else ""


def suspicions(server: Server, run_id: str, package: Package) -> list[str]:
    """The alarms of a run that wait for a confirming run, from the log of Record; empty where that cannot be read.

    Args:
        server: on which the run has ended.
        run_id: the run.
        package: the pipeline.
    """
    try:
        run = server.get_run(run_id)
    except UserError:
        return []
    record = next((name for name, title in package.titles.items() if title == RECORD), "")
    pod = run_states.pod_of(run, record) if record else None
    return said((server.read_log(run_id, pod) if pod else None) or "", f"record: {names.SUSPICION}")


def said(log: str, begin: str) -> list[str]:
    """What follows the beginning of a message in a log, for each message that begins so."""
    begin = console.PREFIX + begin
    lines = [_CONTROL.sub("", line) for line in log.splitlines()]
    return [line.partition(begin)[2] for line in lines if begin in line]


def _reason(log: str | None) -> str:
    """Why a task failed, from its log."""
    if log is None:
        return "failed; its log cannot be read, so the reason is unknown"
    if errors := said(log, "error: "):
        return errors[-1]
    lines = [_CONTROL.sub("", line) for line in log.splitlines()]
    if exception := _last_exception(lines):
        return f"failed: {exception}"
    if fatal := [found[1] for line in lines if (found := _FATAL.match(line))]:
        return f"failed: {fatal[-1]}"
    return (
        "failed; its log gives no reason, so that is unknown (a step that is killed for lack of memory cannot give "
        "one: --memory gives it more)"
    )


def _last_exception(lines: list[str]) -> str:
    """The exception that a log ends with; "" if other output follows the last traceback, or there is none."""
    own = [line for line in lines if line.strip() and not _LAUNCHER.match(line)]
    begins = [number for number, line in enumerate(own) if line.startswith(_TRACEBACK)]
    unindented = [line for line in own[begins[-1] + 1 :] if not line.startswith(" ")] if begins else []
    return unindented[0] if len(unindented) == 1 else ""


def _print_error(message: str) -> None:
    print(f"{console.PREFIX}error: {' '.join(_CONTROL.sub('', message).split())}", file=sys.stderr, flush=True)
