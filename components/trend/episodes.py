"""Alarms that go on from run to run as one episode each, with the number by which the page refers to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.gate.earlier import when
from components.gate.verdict import DATA, MEMORY, TIME, Alarm
from components.trend.shown import Shown, title_of

REPLACED = 2
"""So many runs with a new recipe, on new data or on a new machine, and those before count as replaced. One alone may be
of another schedule."""

_Ringing = tuple[Shown, Alarm]


@dataclass(frozen=True)
class Episode:
    """The alarms of one chart and regime in runs that follow each other.

    These have the same recipe, and are on the same data for quality, on the same machine for costs.

    Attributes:
        number: in the order in which episodes began, from 1.
        runs: with the alarm, the oldest first.
        alarms: of each of these runs.
        goes_on: whether the last of these runs has the alarm, nobody has accepted it, and no others replaced them.
    """

    number: int
    runs: tuple[Shown, ...]
    alarms: tuple[Alarm, ...]
    goes_on: bool

    @property
    def chart(self) -> str:
        """What is watched."""
        return self.alarms[0].chart

    @property
    def regime(self) -> str:
        """That it is of; "" for the data."""
        return self.alarms[0].regime

    @property
    def title(self) -> str:
        """What it is about, as a heading."""
        text = title_of(self.chart, self.regime)
        return text[:1].upper() + text[1:]

    @property
    def reasons(self) -> list[tuple[Shown, str]]:
        """Each run and the reason of its alarm, the newest first."""
        return [(run, alarm.reason) for run, alarm in zip(self.runs, self.alarms, strict=True)][::-1]


def episodes(sections: Sequence[Sequence[Shown]]) -> list[Episode]:
    """All episodes of the runs, in the order in which they began.

    Args:
        sections: runs that may follow each other, the oldest first. A run without a verdict ends no episode.
    """
    found: list[tuple[list[_Ringing], bool]] = []
    for section in sections:
        judged = [shown for shown in section if shown.verdict]
        for chart, regime in dict.fromkeys((alarm.chart, alarm.regime) for one in judged for alarm in one.alarms):
            found += _of_pair(judged, chart, regime)
    found.sort(key=_beginning)
    return [
        Episode(number, tuple(shown for shown, _ in own), tuple(alarm for _, alarm in own), goes_on)
        for number, (own, goes_on) in enumerate(found, start=1)
    ]


def _beginning(found: tuple[list[_Ringing], bool]) -> tuple[tuple[str, str], int]:
    """The first run, and the place of the alarm among those that it has."""
    shown, alarm = found[0][0]
    return when(shown.run), shown.alarms.index(alarm)


def _of_pair(judged: Sequence[Shown], chart: str, regime: str) -> Iterator[tuple[list[_Ringing], bool]]:
    """The episodes of a chart and regime, and whether each goes on.

    Two schedules may share a history, so only a run that the gate compares with those of an episode ends it.
    """
    # A failed training says nothing either way.
    runs = [shown for shown in judged if regime in shown.recipes or regime not in shown.run.failed]
    lines: dict[tuple[str, ...], list[int]] = {}
    for place, shown in enumerate(runs):
        lines.setdefault(_line(shown, chart, regime), []).append(place)
    for places in lines.values():
        since = sum(len(other) for other in lines.values() if other[0] > places[-1])
        own: list[_Ringing] = []
        for shown in (runs[place] for place in places):
            alarm = next((alarm for alarm in shown.alarms if (alarm.chart, alarm.regime) == (chart, regime)), None)
            own += [(shown, alarm)] if alarm else []
            if own and (alarm is None or shown.accepted):
                yield own, False
                own = []
        if own:
            yield own, since < REPLACED


def _line(shown: Shown, chart: str, regime: str) -> tuple[str, ...]:
    """What the runs have in common that the gate compares with each other on a chart."""
    if chart == DATA:
        return tuple(f"{name} {recipe}" for name, recipe in sorted(shown.recipes.items()))
    with_it = shown.hardware.get(regime, "") if chart in (TIME, MEMORY) else shown.run.fingerprint
    # All runs that have not trained the regime are alike.
    return (shown.recipes[regime], with_it) if regime in shown.recipes else ()
