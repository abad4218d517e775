"""The content of a small plot: values of the runs of a section, what they are compared with, and marks."""

import statistics
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MOST_WIDE = 2.5
"""Intervals that reach further than this many times the usual are cut at the edge of the plot."""


@dataclass(frozen=True)
class Point:
    """The value of a run.

    Attributes:
        position: of the run in its section, from 0.
        value: None where the run has none; the line is broken there.
        low, high: ends of its interval; None without one.
        level: what it is compared with; None without it.
        series: lines join only runs of the same series.
        champion: whether the run became a champion.
        title: the run and its numbers in words.
    """

    position: int
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    series: Hashable = ""
    champion: bool = False
    title: str = ""


@dataclass(frozen=True)
class Mark:
    """Something that happened in a run.

    Attributes:
        position: of the run.
        label: what stands at the mark; "" for nothing.
        title: in words.
        open: whether it is not confirmed yet.
        goes_on: whether it continues what the run before had.
    """

    position: int
    label: str
    title: str
    open: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Panel:
    """A small plot.

    Attributes:
        title: what it shows.
        latest: the newest value in words.
        alt: the plot in words.
        colour, marker: of the values, see `look.Look`.
        points: one for each run of the section.
        dates: of the runs, for the axis.
        least: the smallest span of the vertical axis.
        alarms: with the numbers of their episodes.
        changes: where the data changed.
        failures: where there is no value, since the training failed.
        highest: that the quantity can have.
    """

    title: str
    latest: str
    alt: str
    colour: str
    marker: str
    points: Sequence[Point]
    dates: Sequence[str]
    least: float
    alarms: Sequence[Mark] = ()
    changes: Sequence[Mark] = ()
    failures: Sequence[Mark] = ()
    highest: float = float("inf")

    def segments(self) -> list[list[Point]]:
        """The points that lines join: of one series, without a run in between that has no value."""
        done: list[list[Point]] = []
        begun: dict[Hashable, list[Point]] = {}
        for point in self.points:
            if point.value is None:
                begun.clear()
                continue
            if point.series not in begun:
                begun[point.series] = []
                done.append(begun[point.series])
            begun[point.series].append(point)
        return done

    def numbers(self) -> list[float]:
        """All that the vertical axis has to show.

        An interval that is much wider than the others, as two seeds can give, would make all else flat: it is cut.
        """
        reach = [max(point.value - low, high - point.value) for point, low, high in self._intervals()]
        widest = MOST_WIDE * statistics.median(reach) if reach else 0.0
        found = [number for point in self.points for number in (point.value, point.level) if number is not None]
        for point, low, high in self._intervals():
            found += [end for end in (low, high) if abs(end - point.value) <= widest]
        return found

    def _intervals(self) -> Iterator[tuple[Any, float, float]]:
        for point in self.points:
            if point.value is not None and point.low is not None and point.high is not None:
                yield point, point.low, point.high
