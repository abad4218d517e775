"""Cron expressions as Kubeflow reads them: six fields, seconds first, in the time zone of the server.

Kubeflow accepts the usual five fields too, but reads "0 3 * * 1" (Mondays at 03:00) as "three minutes past every hour
in January". So five fields are completed here, and an expression is checked before anything is sent.

The fields are read by `cronsim <https://github.com/cuu508/cronsim>`_. What it accepts and Kubeflow's parser
(`robfig/cron <https://github.com/robfig/cron>`_ 1.2) does not is refused first: `L`, `#`, and 7 for Sunday.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from components.console import UserError
from components.tracking.names import MOST_RUNS_PER_YEAR

EXAMPLE = "'0 3 * * 1' (Mondays at 03:00)"

_FIELDS = {
    "second": (r"\d+", "0 to 59"),
    "minute": (r"\d+", "0 to 59"),
    "hour": (r"\d+", "0 to 23"),
    "day of month": (r"\d+", "1 to 31"),
    "month": (r"(?:\d+|[A-Z]{3})", "1 to 12 or JAN to DEC"),
    "day of week": (r"(?:0*[0-6]|[A-Z]{3})", "0 (Sunday) to 6 or SUN to SAT"),
}
"""Per field, what one value looks like, and the values for the error message."""


@dataclass(frozen=True)
class Cron:
    """A checked expression.

    Attributes:
        expression: six fields, as Kubeflow accepts them.
    """

    expression: str

    def coming(self, after: datetime) -> Iterator[datetime]:
        """The times at which it starts a run, soonest first.

        Args:
            after: only later times, in the same time zone.

        Returns:
            Times without a fraction of a second.
        """
        return iter(CronSim(_for_cronsim(self.expression), after))

    def per_year(self) -> float:
        """How often it starts a run in a year, at least 1 and at most `MOST_RUNS_PER_YEAR`."""
        coming = itertools.islice(self.coming(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)), 4 * MOST_RUNS_PER_YEAR)
        # Four years have a 29 February.
        count = sum(1 for _ in itertools.takewhile(lambda time: time.year < 2029, coming))
        return min(float(MOST_RUNS_PER_YEAR), max(1.0, count / 4))


def parse(text: str) -> Cron:
    """Checks an expression of five fields (minute first) or six (second first).

    Args:
        text: for example "0 3 * * 1".

    Returns:
        The same in six fields.

    Raises:
        UserError: it has another number of fields, a field that Kubeflow does not understand, or no time matches.
    """
    words = text.upper().split()
    if len(words) == 5:
        words = ["0", *words]
    if len(words) != 6:
        raise UserError(
            f"--cron {text!r} is not a cron expression: it needs five fields (minute, hour, day of month, month, day "
            f"of week), or six with the second before them, for example {EXAMPLE}"
        )
    for position, (word, (field, (value, values))) in enumerate(zip(words, _FIELDS.items(), strict=True)):
        part = rf"(?:[*?]|{value}(?:-{value})?)(?:/0*[1-9]\d*)?"
        if not re.fullmatch(rf"{part}(?:,{part})*", word, re.ASCII) or not _is_valid(word, position):
            raise UserError(
                f"--cron {text!r}: Kubeflow does not understand {word!r} as {field}: use {values}, '*', a list as in "
                "1,2, a range as in 1-3 or a step as in */2"
            )
    cron = Cron(" ".join(words))
    try:
        next(cron.coming(datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise UserError(f"--cron {text!r} never matches: no year has such a day") from None
    return cron


def _is_valid(word: str, position: int) -> bool:
    """Whether cronsim understands a field by itself, with every value allowed in the other five."""
    words = ["*"] * 6
    words[position] = word
    try:
        CronSim(_for_cronsim(" ".join(words)), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _for_cronsim(expression: str) -> str:
    """The expression in cronsim's syntax, which differs from that of robfig/cron in three points."""
    *words, weekday = expression.replace("?", "*").split()
    # Its days of the week go up to 7, which is Sunday once more, so "1/3" would include it.
    weekday = re.sub(r"(?<![\w-])(\w+)/", r"\1-6/", weekday)
    # It reads a range of one value as that value: "5-5/2" as "5/2", which is "5-59/2".
    return re.sub(r"\b(\w+)-\1/\d+", r"\1", " ".join([*words, weekday]))
