import os

import pytest

from tests import fuzz


def test_inputs_are_equal_for_equal_seeds_and_differ_otherwise():
    seeds = list(fuzz.samples())
    one = [fuzz.damaged(seeds, 1, number) for number in range(200)]
    assert one == [fuzz.damaged(seeds, 1, number) for number in range(200)]
    assert sum(content in seeds for content in one) < 20
    assert len(set(one)) > 190
    assert sum(a == b for a, b in zip(one, (fuzz.damaged(seeds, 2, number) for number in range(200)), strict=True)) < 5


@pytest.mark.parametrize(
    ("reader", "refused", "whole"),
    [
        ("files", 8, 82),  # a PNG with two pictures, and TIFFs of kinds that Pillow does not open
        ("tables", 1, 10),  # in UTF-16
        ("objects", 3, 20),  # named as a folder and not empty
    ],
)
def test_every_undamaged_sample_is_read_or_refused_on_purpose(reader, refused, whole):
    make, read = fuzz.READERS[reader]
    outcomes = [read(content) for content in make()]
    assert outcomes.count("refused") == refused
    assert outcomes.count("read") == whole - refused


@pytest.mark.medium
@pytest.mark.parametrize("reader", fuzz.READERS)
def test_a_few_damaged_files_are_refused_cleanly(capsys, reader):
    assert fuzz.main(["--reader", reader, "--inputs", "100", "--seed", "3"]) == 0
    assert capsys.readouterr().out.startswith("100 inputs from ")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (KeyError("x"), "failed: KeyError: 'x'"),
        (ValueError(""), "failed: refused for no reason"),
        (ValueError("cannot be decoded: MemoryError"), "failed: refused for cannot be decoded: MemoryError"),
        (ValueError("too large"), "refused"),
    ],
)
def test_whatever_is_no_clean_refusal_is_a_finding(monkeypatch, error, outcome):
    def fail(_):
        raise error

    monkeypatch.setattr(fuzz, "inspect", fail)
    assert fuzz.outcome_of(b"") == outcome


def crash(number: int) -> str:
    """What a worker does in the next test: dies of input 1, hangs on input 2."""
    if number == 1:
        os._exit(9)
    while number == 2:
        pass
    return "read"


@pytest.mark.slow
def test_a_worker_that_crashes_or_hangs_is_a_finding_and_is_replaced():
    outcomes = list(fuzz.feed([], 0, range(4), seconds=1, work=_crashing))
    assert outcomes == [(0, "read"), (1, "crashed: exit code 9"), (2, "slow: more than 1 s"), (3, "read")]


def _crashing(pipe, *_):
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        pipe.send(crash(number))
