"""Alarms that go on from run to run as one episode each, with the number by which the page refers to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.gate.earlier import when
from components.gate.verdict import Alarm
from components.trend.shown import Shown, title_of


@dataclass(frozen=True)
class Episode:
    """The alarms of one chart and regime in runs that follow each other.

    Attributes:
        number: in the order in which episodes began, from 1.
        runs: with the alarm, the oldest first.
        alarms: of each of these runs.
        goes_on: whether the last run of its section has the alarm.
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
    begun: list[list[tuple[Shown, Alarm]]] = []
    last = set()
    for section in sections:
        judged = [shown for shown in section if shown.verdict]
        last |= {shown.run.id for shown in judged[-1:]}
        going_on: dict[tuple[str, str], list[tuple[Shown, Alarm]]] = {}
        for shown in judged:
            current = {(alarm.chart, alarm.regime): alarm for alarm in shown.alarms}
            going_on = {key: own for key, own in going_on.items() if key in current}
            for key, alarm in current.items():
                if key not in going_on:
                    going_on[key] = []
                    begun.append(going_on[key])
                going_on[key].append((shown, alarm))
    begun.sort(key=lambda own: when(own[0][0].run))
    return [
        Episode(
            number,
            tuple(shown for shown, _ in own),
            tuple(alarm for _, alarm in own),
            own[-1][0].run.id in last,
        )
        for number, own in enumerate(begun, start=1)
    ]
