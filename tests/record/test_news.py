"""What of a verdict is news, and what an accepted run is spared."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from components.gate.judging import Judged
from components.gate.verdict import Alarm, Verdict
from components.record import gate
from components.tracking import names
from components.tracking.history import RecordedRun

QUALITY, TIME, DATA = ("quality", "custom_cnn"), ("time", "custom_cnn"), ("data", "")
RUN = RecordedRun("2", "a run", "key", "", "ab12", True, {}, "", {}, {}, {}, {})
OVER = "Custom CNN: {}: no alarm any more"


def found(*pairs, told=(), suspected=()):
    alarms = tuple(Alarm(*pair, f"{pair[0]} is worse") for pair in pairs)
    waits = bool(pairs) and set(pairs) <= set(suspected)
    return Judged(Verdict(alarms=alarms, suspected=waits), frozenset(told), frozenset(suspected))


@pytest.mark.parametrize(
    ("given", "new", "ended", "known"),
    [
        (found(), (), (), set()),
        (found(QUALITY, DATA), (QUALITY, DATA), (), {QUALITY, DATA}),
        (found(QUALITY, TIME, told=[QUALITY]), (TIME,), (), {QUALITY, TIME}),
        (found(TIME, told=[QUALITY, TIME, DATA]), (), (OVER.format("quality"),), {TIME}),
        (found(QUALITY, suspected=[QUALITY]), (), (), set()),
        (found(QUALITY, told=[QUALITY], suspected=[QUALITY]), (), (), {QUALITY}),
        (found(QUALITY, told=[TIME], suspected=[TIME]), (QUALITY,), (), {QUALITY, TIME}),
    ],
)
def test_news_is_what_people_were_not_told_of(given, new, ended, known):
    assert tuple(alarm.pair for alarm in given.new) == new
    assert given.ended == ended
    assert given.known == known


def test_an_alarm_that_a_person_has_accepted_is_no_news():
    assert gate.news(RUN, found(QUALITY)) == "pneumonia-benchmark, run a run\nalarm: quality is worse"
    assert gate.news(replace(RUN, tags={names.ACCEPTED: "2026"}), found(QUALITY)) == ""


def test_the_latest_marks_of_earlier_recordings_are_inherited_and_written_where_they_differ():
    asked = []
    opened = SimpleNamespace(ask=lambda *words: asked.append(words))
    old = [
        replace(RUN, id=number, tags={names.PROMOTED: time}) for number, time in (("0", "2026-01"), ("1", "2026-02"))
    ]
    run = gate.inherited(opened, RUN, [old[1], replace(old[0], tags=old[0].tags | {names.ACCEPTED: "2026-01"})])
    assert (run.promoted, run.tags) == ("2026-02", {names.PROMOTED: "2026-02", names.ACCEPTED: "2026-01"})
    assert asked == [("set_tag", "2", names.ACCEPTED, "2026-01"), ("set_tag", "2", names.PROMOTED, "2026-02")]
    assert gate.inherited(opened, run, old) == run
    assert len(asked) == 2
