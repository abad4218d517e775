"""How numbers look."""

import pytest

from components.compare.report import formats
from components.compare.report.table import metric_cell


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.04, "0.0 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (245, "4 min 5 s")),
        *((3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (None, "–")),
    ],
)
def test_durations_have_readable_units(seconds, text):
    assert formats.duration(seconds) == text


def test_metrics_have_three_decimals_and_their_interval():
    assert str(metric_cell({"value": 0.98712, "ci95": [0.9749, 0.99501]})) == "0.987 (0.975–0.995)"
    assert formats.decimal(None) == "–"


def test_differences_have_a_sign_unless_they_are_zero():
    assert [formats.signed(value) for value in (0.0123, -0.0031, -0.0001, 0.0)] == [
        "+0.012",
        "−0.003",
        "0.000",
        "0.000",
    ]
    assert formats.signed_span([-0.0031, 0.012]) == "−0.003 to +0.012"


def test_counts_and_sizes_have_thousands_separators():
    assert formats.count(2_259_265) == "2,259,265"
    assert formats.count(10.5) == "10.5"
    assert formats.megabytes(1234.4) == "1,234 MB"
    assert formats.megabytes(9.46) == "9.5 MB"
    assert formats.megabytes(0.0046) == "4.6 kB"
    assert formats.megabytes(0.06) == "0.1 MB"
    assert [formats.short_count(n) for n in (96, 1281, 735_361, 2_259_265, 999_999)] == [
        "96",
        "1.28 K",
        "735 K",
        "2.26 M",
        "1 M",
    ]
    assert formats.counted(1, "file", "files") == "1 file"
    assert formats.percent(1, 0) == "–"


def test_prices_have_two_decimals_and_small_ones_two_digits():
    assert [formats.price(value) for value in (1234.5, 0.5, 0.00123, None)] == ["1,234.50", "0.50", "0.0012", "–"]


def test_p_values_are_never_written_as_zero():
    assert [formats.probability(p) for p in (0.0009, 0.001, 0.012)] == ["<0.001", "0.001", "0.012"]


def test_no_line_break_separates_a_number_from_its_unit():
    assert " " not in formats.typeset("4 min 5 s")
    assert " " not in formats.typeset("2 h 5 min")
    assert formats.typeset("0.1–0.2") == "0.1\N{WORD JOINER}–\N{WORD JOINER}0.2"
    assert formats.typeset("all 4 regimes") == "all 4 regimes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        ({"flip": True, "max_shift": 0.05}, "flip yes, max shift 0.05"),
        ([1, 0.5], "1, 0.5"),
        (1e-3, "0.001"),
        (32, "32"),
    ],
)
def test_settings_are_plain_words(value, text):
    assert formats.setting(value) == text


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        ({"cpu": "A processor", "cores": 2, "memory_gb": 16.0, "gpu": None}, "A processor, 2 cores, 16 GB, no GPU"),
        ({"cpu": "A processor", "cores": 2, "memory_gb": 7.5, "gpu": "G"}, "A processor, 2 cores, 7.5 GB, GPU G"),
        (None, "–"),
    ],
)
def test_hardware_may_be_unknown(machine, text):
    assert formats.hardware(machine) == text


def test_rates_are_whole_numbers():
    assert [formats.rate(value) for value in (1234.4, None)] == ["1,234", "–"]
