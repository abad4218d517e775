"""A request to stop is noted during training, and raised as soon as the training can stop."""

import os
import signal
import threading

import pytest

from components.train.interruption import TERMINATED, Interruption


@pytest.fixture
def interruption():
    found = Interruption()
    with found.watching():
        yield found


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_request_is_raised_at_once_where_nothing_is_deferred(interruption, number, error):
    with pytest.raises(error) as raised:
        os.kill(os.getpid(), number)
    if error is SystemExit:
        assert raised.value.code == TERMINATED == 143
    assert interruption.requested


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_while_deferred_a_request_waits_for_the_next_check(interruption, number, error):
    saved = []
    with pytest.raises(error), interruption.deferred():
        os.kill(os.getpid(), number)
        assert interruption.requested
        saved.append("checkpoint")
        interruption.check()
    assert saved == ["checkpoint"]


def test_a_request_is_raised_at_the_end_of_the_block_at_the_latest(interruption):
    with pytest.raises(SystemExit), interruption.deferred():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_second_request_changes_nothing(interruption):
    saved = []
    with pytest.raises(SystemExit), interruption.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        saved.append("checkpoint")
        interruption.check()
    os.kill(os.getpid(), signal.SIGTERM)
    assert saved == ["checkpoint"]


def test_without_a_request_nothing_is_raised(interruption):
    with interruption.deferred():
        interruption.check()
    assert not interruption.requested


def test_the_handlers_are_restored():
    before = signal.getsignal(signal.SIGTERM)
    with Interruption().watching():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_signals_are_left_alone():
    errors = []

    def work():
        try:
            with Interruption().watching():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors
