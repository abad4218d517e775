"""Steps wait for a network themselves, since a cluster does not start a failed step again."""

from functools import partial

import pytest

from components import console, retries
from components.console import UserError
from components.retries import TransientError, persist

say = partial(console.say, "ingest")


@pytest.fixture
def waits(monkeypatch):
    """The seconds that are waited, one after another; no time passes."""
    seconds = []
    monkeypatch.setattr(retries.time, "sleep", seconds.append)
    return seconds


def failing(*errors):
    """A function that raises each of the errors in turn, then gives "here"."""
    left = list(errors)

    def attempt():
        if left:
            raise left.pop(0)
        return "here"

    return attempt


def test_waits_double_up_to_a_minute_and_each_is_said(waits, capsys):
    assert persist(failing(*[TransientError("the store is away")] * 8), say) == "here"
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "pneumonia-benchmark: ingest: the store is away; attempt 2 of 9 in 1 s"
    assert len(lines) == 8


def test_the_last_error_is_the_steps(waits):
    errors = [TransientError(str(number)) for number in range(20)]
    with pytest.raises(TransientError, match=r"^8$"):
        persist(failing(*errors), say)
    assert len(waits) == retries.ATTEMPTS - 1


def test_an_error_that_stays_is_not_tried_again(waits):
    with pytest.raises(UserError, match="check the name"):
        persist(failing(UserError("check the name")), say)
    assert waits == []


def test_a_server_may_ask_for_a_longer_wait_but_not_for_hours():
    assert retries.wait(1, asked=7.0) == 7.0
    assert retries.wait(6, asked=7.0) == 32.0
    assert retries.wait(1, asked=99999.0) == 60.0


def test_fewer_attempts_can_be_asked_for(waits):
    with pytest.raises(TransientError):
        persist(failing(*[TransientError("away")] * 9), say, attempts=3)
    assert waits == [1, 2]
