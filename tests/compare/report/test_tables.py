"""How numbers look, and the table for the terminal."""

import copy

import pytest

from components.compare.report import tables


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.04, "0.0 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (245, "4 min 5 s")),
        *((3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (None, "–")),
    ],
)
def test_times_are_written_for_people(seconds, text):
    assert tables.duration(seconds) == text


def test_metrics_have_three_decimals_and_their_interval():
    assert str(tables.metric_cell({"value": 0.98712, "ci95": [0.9749, 0.99501]})) == "0.987 (0.975–0.995)"
    assert tables.decimal(None) == "–"


def test_differences_have_a_sign_unless_they_are_zero():
    assert [tables.signed(value) for value in (0.0123, -0.0031, -0.0001, 0.0)] == ["+0.012", "−0.003", "0.000", "0.000"]
    assert tables.signed_span([-0.0031, 0.012]) == "−0.003 to +0.012"


def test_counts_and_sizes_have_thousands_separators():
    assert tables.count(2_259_265) == "2,259,265"
    assert tables.count(10.5) == "10.5"
    assert tables.megabytes(1234.4) == "1,234 MB"
    assert tables.megabytes(9.46) == "9.5 MB"
    assert tables.megabytes(0.0046) == "4.6 kB"
    assert tables.megabytes(0.06) == "0.1 MB"
    assert [tables.short_count(n) for n in (96, 1281, 735_361, 2_259_265, 999_999)] == [
        "96",
        "1.28 K",
        "735 K",
        "2.26 M",
        "1 M",
    ]
    assert tables.counted(1, "file", "files") == "1 file"
    assert tables.percent(1, 0) == "–"


def test_prices_have_two_decimals_and_small_ones_two_digits():
    assert [tables.price(value) for value in (1234.5, 0.5, 0.00123, None)] == ["1,234.50", "0.50", "0.0012", "–"]


def test_p_values_are_never_written_as_zero():
    assert [tables.probability(p) for p in (0.0005, 0.012)] == ["<0.001", "0.012"]


def test_numbers_are_not_torn_from_their_units():
    assert " " not in tables.typeset("4 min 5 s")
    assert " " not in tables.typeset("2 h 5 min")
    assert tables.typeset("0.1–0.2") == "0.1\N{WORD JOINER}–\N{WORD JOINER}0.2"
    assert tables.typeset("all 4 regimes") == "all 4 regimes"


def test_the_terminal_table_is_aligned_and_fits(compared):
    lines = tables.terminal_table(compared.results).splitlines()
    assert max(map(len, lines)) <= tables.TERMINAL_COLUMNS
    assert len({len(line) for line in lines[:-1]}) == 1
    header, first, intervals = lines[0], lines[2], lines[3]
    for column, text in (("Accuracy", "0.917"), ("ROC AUC", "0.974"), ("Train time", "9.4 s"), ("Trained", "96.1 K")):
        assert header.index(column) + len(column) == first.index(text) + len(text)
    assert intervals.split() == ["0.879–0.943", "0.955–0.985"]


def test_the_terminal_table_gives_up_intervals_where_they_do_not_fit(compared):
    results = copy.deepcopy(compared.results)
    results["regimes"]["full_fine_tuning"]["cost"]["peak_memory_mb"] = 123456789
    results["regimes"]["full_fine_tuning"]["cost"]["train_seconds"] = 59 * 60 + 59
    table = tables.terminal_table(results)
    assert "0.879–0.943" not in table
    assert len(table.splitlines()) == 7
