"""Cron expressions as Kubeflow reads them: six fields, seconds first, in the time zone of the server.

Kubeflow takes the usual five fields too, but reads "0 3 * * 1" (Mondays at 03:00) as "three minutes past every hour in
January". So five fields are completed here, and an expression is checked before anything is sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from components.console import UserError

EXAMPLE = "'0 3 * * 1' (Mondays at 03:00)"
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# 29 February is the rarest day: from 2096 it takes eight years to the next.
LONGEST_WAIT_DAYS = 8 * 366


@dataclass(frozen=True)
class Field:
    """One field of an expression.

    Attributes:
        name: what it counts.
        lowest: its smallest value.
        highest: its largest value.
        names: what may stand for `lowest`, `lowest + 1`, and so on.
    """

    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 6, WEEKDAYS),
)


@dataclass(frozen=True)
class Cron:
    """A checked expression.

    Attributes:
        expression: six fields, as Kubeflow takes them.
        values: those that each field allows, in the order of `FIELDS`.
    """

    expression: str
    values: tuple[frozenset[int], ...]

    def coming(self, after: datetime) -> Iterator[datetime]:
        """The times at which it starts a run, soonest first.

        Args:
            after: only later times, in the same time zone.

        Yields:
            Times without a fraction of a second; none where there is none within eight years.
        """
        seconds, minutes, hours = (sorted(values) for values in self.values[:3])
        midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (midnight + timedelta(days) for days in range(LONGEST_WAIT_DAYS)):
            if self._includes_day(day):
                times = (
                    day + timedelta(hours=hour, minutes=minute, seconds=second)
                    for hour in hours
                    for minute in minutes
                    for second in seconds
                )
                yield from (time for time in times if time > after)

    def _includes_day(self, day: datetime) -> bool:
        days, months, weekdays = self.values[3:]
        if day.month not in months:
            return False
        allowed = (day.day in days, day.isoweekday() % 7 in weekdays)
        # As everywhere in cron: where both are restricted, either suffices.
        either = not any(word.startswith(("*", "?")) for word in self.expression.split()[3:6:2])
        return any(allowed) if either else all(allowed)


def parse(text: str) -> Cron:
    """Checks an expression of five fields (minute first) or six (second first).

    Args:
        text: for example "0 3 * * 1".

    Returns:
        The same in six fields.

    Raises:
        UserError: it has another number of fields, a field that Kubeflow does not understand, or never comes.
    """
    words = text.upper().split()
    if len(words) == 5:
        words = ["0", *words]
    if len(words) != 6:
        raise UserError(
            f"--cron {text!r} is no cron expression: it needs five fields (minute, hour, day of month, month, day of "
            f"week), or six with the second before them, for example {EXAMPLE}"
        )
    cron = Cron(" ".join(words), tuple(_values(word, field, text) for word, field in zip(words, FIELDS, strict=True)))
    if next(cron.coming(datetime(2000, 1, 1)), None) is None:
        raise UserError(f"--cron {text!r} never comes: no such day is in any year")
    return cron


def _values(word: str, field: Field, text: str) -> frozenset[int]:
    """The values that one field allows: a list of `*`, `a`, `a-b`, each with or without `/step`."""
    return frozenset(value for part in word.split(",") for value in _part(part, field, text))


def _part(part: str, field: Field, text: str) -> range:
    matched = re.fullmatch(r"(?:[*?]|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,3}))?", part, re.ASCII)
    if not matched:
        raise _error(text, part, field)
    first, last = matched["first"], matched["last"]
    step = int(matched["step"] or 1)
    lowest = _number(first, field, text) if first else field.lowest
    # "5/10" means "from 5 to the end by tens".
    highest = _number(last, field, text) if last else lowest if first and not matched["step"] else field.highest
    if step < 1 or highest < lowest:
        raise _error(text, part, field)
    return range(lowest, highest + 1, step)


def _number(word: str, field: Field, text: str) -> int:
    if word in field.names:
        return field.lowest + field.names.index(word)
    if not word.isdecimal() or not field.lowest <= int(word) <= field.highest:
        raise _error(text, word, field)
    return int(word)


def _error(text: str, part: str, field: Field) -> UserError:
    names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
    sunday = "; Sunday is 0" if field.names == WEEKDAYS else ""
    return UserError(
        f"--cron {text!r}: Kubeflow does not understand {part!r} as {field.name}: use {field.lowest} to {field.highest}"
        f"{names}, '*', a list as in 1,2, a range as in 1-3 or a step as in */2{sunday}"
    )
