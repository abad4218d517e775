"""The gate after a recording: judges the run once, stores the verdict, moves the champion, and says what was found."""

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.artifacts import files
from components.console import UserError, one_line, say
from components.gate.earlier import Pair, Rung
from components.gate.judging import Judged, judge
from components.gate.verdict import Alarm, Verdict
from components.tracking import names
from components.tracking.history import History, RecordedRun, champions, champions_of_lines, line
from components.tracking.server import Server


@dataclass(frozen=True)
class Gate:
    """How the gate judges a run.

    Attributes:
        on_regression: one of `names.ON_REGRESSION`: whether an alarm fails the recording, after everything is recorded.
        runs_per_year: that share the false alarms of a year.
        confirm: an alarm is only suspected until the next run has it too.
    """

    on_regression: str = names.ON_REGRESSION[0]
    runs_per_year: float = names.RUNS_PER_YEAR
    confirm: bool = False

    def __post_init__(self) -> None:
        if self.on_regression not in names.ON_REGRESSION:
            raise UserError(f"--on-regression {self.on_regression!r} is not known: give warn or fail")
        names.check_runs_per_year(self.runs_per_year)


class RegressionError(Exception):
    """An alarm of a run that is to fail; the run is recorded.

    Attributes:
        lines: what is worse, a line for each alarm.
    """

    def __init__(self, alarms: Sequence[Alarm]):
        self.lines = [names.REGRESSION + one_line(alarm.reason) for alarm in alarms]
        super().__init__("; ".join(self.lines))


def inherited(opened: Server, run: RecordedRun, superseded: Sequence[RecordedRun]) -> RecordedRun:
    """Gives a recording the marks of a champion that earlier recordings of the same run have, with their times.

    Args:
        opened: the history.
        run: completely recorded.
        superseded: the earlier recordings, which are about to be deleted.

    Returns:
        The run with these marks.
    """
    tags = dict(run.tags)
    for name in (names.ACCEPTED, names.PROMOTED):
        latest = max(own.tags.get(name, "") for own in (run, *superseded))
        if latest != tags.get(name, ""):
            opened.ask("set_tag", run.id, name, latest)
            tags[name] = latest
    return replace(run, promoted=tags.get(names.PROMOTED, ""), tags=tags)


def judged(
    opened: Server, history: History, run: RecordedRun, superseded: Sequence[RecordedRun], gate: Gate
) -> Judged | None:
    """The verdict about a run: the stored one, or a new one, which is stored and may move the champion.

    Args:
        opened: the history.
        history: of the same.
        run: completely recorded, with what it has inherited.
        superseded: earlier recordings of the same run, which are about to be deleted; it takes over from these.
        gate: the settings.

    Returns:
        None where the gate could not judge; a line has said why.
    """
    stored = history.verdict(run)
    if stored is not None:
        rung = Rung.of(run)
        return Judged(Verdict.from_json(stored), rung.told, rung.suspected)
    runs = history.runs()
    try:
        found = judge(history, run, gate.runs_per_year, gate.confirm, runs)
    except Exception as error:  # whatever it is, the run is recorded
        say("record", f"the gate could not judge the run, which is recorded: {type(error).__name__}: {error}")
        if run.fingerprint not in champions(runs) and not run.failed:
            _promote(history, run)
        return None
    champion = champions_of_lines(runs).get(line(run))
    if found.verdict.promoted and not (champion and champion.key == run.key):
        _promote(history, run)
    promoted = found.verdict.promoted or bool(run.promoted)
    told = [Rung.of(old).told for old in superseded if names.TOLD in old.tags]
    found = replace(
        found,
        verdict=replace(found.verdict, promoted=promoted),
        told=frozenset().union(*told) if told else found.told,
    )
    _store(opened, run, found)
    return found


def _promote(history: History, run: RecordedRun) -> None:
    history.promote(run)
    say("record", f"it is the champion of its dataset (fingerprint {run.fingerprint[:12]})")


def _store(opened: Server, run: RecordedRun, found: Judged) -> None:
    """Writes the verdict, and last the tag that says that there is one."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / names.VERDICT
        files.write_text(path, found.verdict.to_json())
        opened.ask("log_artifact", run.id, str(path), names.COMPARISON)
    if found.suspected:
        opened.ask("set_tag", run.id, names.SUSPECTED, _pairs(sorted(found.suspected)))
    opened.ask("set_tag", run.id, names.TOLD, _pairs(sorted(found.told)))
    opened.ask("set_tag", run.id, names.ALARMS, _pairs(alarm.pair for alarm in found.verdict.alarms))


def _pairs(pairs: Iterable[Pair]) -> str:
    return json.dumps([list(pair) for pair in pairs])


def report(found: Judged, fails: bool) -> None:
    """Says what was found, a line each; alarms that fail the run are left to the `RegressionError`."""
    verdict = found.verdict
    if not verdict.suspected and not fails:
        for alarm in verdict.alarms:
            say("record", f"alarm: {alarm.reason}")
    for alarm in verdict.alarms if verdict.suspected else ():
        say("record", names.SUSPICION + alarm.reason)
    for warning in verdict.warnings:
        say("record", warning)
    for note in verdict.notes:
        say("record", note)


def news(run: RecordedRun, found: Judged) -> str:
    """What somebody is told about a run; "" where it has no news. What a person has accepted is none."""
    new = () if names.ACCEPTED in run.tags else found.new
    lines = [f"alarm: {alarm.reason}" for alarm in new] + [f"ended: {ended}" for ended in found.ended]
    return "\n".join([f"pneumonia-benchmark, run {run.name}", *lines]) if lines else ""


def remember(opened: Server, run: RecordedRun, found: Judged) -> None:
    """Stores that somebody was told the news, which otherwise are news again in the next recording."""
    try:
        opened.ask("set_tag", run.id, names.TOLD, _pairs(sorted(found.known)))
    except UserError as error:
        say("record", f"the notification could not be noted, so it may be sent again: {error}")
