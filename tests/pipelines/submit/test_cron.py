"""Cron expressions are completed, checked, and come when they say."""

from datetime import UTC, datetime

import pytest

from components.console import UserError
from pipelines.submit import cron

# A Monday.
NOW = datetime(2026, 11, 23, 15, 30, 10, 500, tzinfo=UTC)


def first(expression, count=1):
    times = cron.parse(expression).coming(NOW)
    return [f"{next(times):%a %Y-%m-%d %H:%M:%S}" for _ in range(count)]


def test_five_fields_become_six_that_start_at_second_zero():
    assert cron.parse("0 3 * * 1").expression == "0 0 3 * * 1"
    assert cron.parse(" 0  3 * *\tmon ").expression == "0 0 3 * * MON"
    assert cron.parse("15 0 3 * * 1").expression == "15 0 3 * * 1"


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("0 3 * * 1", ["Mon 2026-11-30 03:00:00", "Mon 2026-12-07 03:00:00"]),
        ("0 16 * * 1", ["Mon 2026-11-23 16:00:00"]),
        ("30 15 * * *", ["Tue 2026-11-24 15:30:00"]),
        ("31 15 * * ?", ["Mon 2026-11-23 15:31:00"]),
        ("11 30 15 * * *", ["Mon 2026-11-23 15:30:11"]),
        ("10 30 15 * * *", ["Tue 2026-11-24 15:30:10"]),
        ("*/20 * * * *", ["Mon 2026-11-23 15:40:00", "Mon 2026-11-23 16:00:00"]),
        ("5/20 * * * *", ["Mon 2026-11-23 15:45:00", "Mon 2026-11-23 16:05:00"]),
        ("0 10-12/2,18 * * *", ["Mon 2026-11-23 18:00:00", "Tue 2026-11-24 10:00:00", "Tue 2026-11-24 12:00:00"]),
        ("0 0 1 JAN-mar,12 *", ["Tue 2026-12-01 00:00:00", "Fri 2027-01-01 00:00:00"]),
        ("0 0 * * 0", ["Sun 2026-11-29 00:00:00"]),
        ("0 0 * * SAT", ["Sat 2026-11-28 00:00:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00:00"]),
        # cronsim's own syntax differs in these.
        ("5-5/20 16 * * *", ["Mon 2026-11-23 16:05:00", "Tue 2026-11-24 16:05:00"]),
        ("0 0 * * 1/3", ["Thu 2026-11-26 00:00:00", "Mon 2026-11-30 00:00:00"]),
        ("0 0 * * 1-5/3", ["Thu 2026-11-26 00:00:00", "Mon 2026-11-30 00:00:00"]),
        ("0 0 25 * ?", ["Wed 2026-11-25 00:00:00", "Fri 2026-12-25 00:00:00"]),
        # Where day of month and day of week are both restricted, either suffices.
        ("0 0 25 * 5", ["Wed 2026-11-25 00:00:00", "Fri 2026-11-27 00:00:00", "Fri 2026-12-04 00:00:00"]),
    ],
)
def test_the_next_times_are_those_of_the_expression(expression, times):
    assert first(expression, len(times)) == times


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "needs five fields"),
        ("0 3 * *", "needs five fields"),
        ("0 0 3 * * 1 2026", "needs five fields"),
        ("@weekly", "needs five fields"),
        ("60 3 * * 1", "does not understand '60' as minute: use 0 to 59"),
        ("0 24 * * 1", "does not understand '24' as hour"),
        ("0 3 0 * *", "does not understand '0' as day of month: use 1 to 31"),
        ("0 3 * 13 *", "does not understand '13' as month: use 1 to 12 or JAN to DEC"),
        ("0 3 * * 7", "does not understand '7' as day of week: use 0 (Sunday) to 6 or SUN to SAT"),
        ("0 3 * * MONDAY", "does not understand 'MONDAY' as day of week"),
        ("0 3 L * *", "does not understand 'L' as day of month"),
        ("0 3 LW * *", "does not understand 'LW' as day of month"),
        ("0 3 * * 5L", "does not understand '5L' as day of week"),
        ("0 3 * * 1#2", "does not understand '1#2' as day of week"),
        ("0 3 * * 1-7", "does not understand '1-7' as day of week"),
        ("0 3 * FOO *", "does not understand 'FOO' as month"),
        ("3-3/0 * * * *", "does not understand '3-3/0' as minute"),
        ("0 0 31 4,6 *", "never matches"),
        ("0 3-1 * * *", "does not understand '3-1' as hour"),
        ("*/0 * * * *", "does not understand '*/0' as minute"),
        ("1,,2 * * * *", "does not understand '1,,2' as minute"),
        ("-1 * * * *", "does not understand '-1' as minute"),
        ("² * * * *", "does not understand '²' as minute"),
        ("0 0 30 2 *", "never matches: no year has such a day"),
    ],
)
def test_a_mistake_is_named_with_its_field_and_what_would_be_right(expression, message):
    with pytest.raises(UserError) as raised:
        cron.parse(expression)
    assert message in str(raised.value)
    assert repr(expression) in str(raised.value)


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("0 3 * * 1", 52.0),
        ("0 3 * * *", 365.25),
        ("30 2 1 * *", 12.0),
        ("0 3 29 2 *", 1.0),
        ("*/10 * * * *", 8784.0),
        ("0 3 1 1,7 *", 2.0),
    ],
)
def test_a_year_has_so_many_runs(expression, number):
    assert cron.parse(expression).per_year() == number
