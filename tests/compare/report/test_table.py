"""One kind of table and its writers."""

import pytest

from components.compare.report import table as tables
from components.compare.report.table import Cell, difference_cell, escaped, markdown, metric_cell, plain_text, table


@pytest.fixture
def small():
    return table(["Regime", "ROC AUC", "Time"], [["A", Cell("0.9", "0.8–1.0"), "1 s"], ["Longer", "0.95", "12 s"]])


def test_texts_become_cells_without_detail(small):
    assert small.rows[0] == [Cell("A"), Cell("0.9", "0.8–1.0"), Cell("1 s")]
    assert [str(cell) for cell in small.rows[0]] == ["A", "0.9 (0.8–1.0)", "1 s"]


def test_metrics_and_differences_have_their_intervals():
    assert str(metric_cell({"value": 0.98712, "ci95": [0.9749, 0.99501]})) == "0.987 (0.975–0.995)"
    assert str(difference_cell(-0.0031, [-0.01, 0.004], " *")) == "−0.003 * (−0.010 to +0.004)"


def test_adjacent_rows_with_the_same_first_cell_are_a_group():
    rows = [[Cell(name), Cell(value)] for name, value in ("a1", "a2", "b3", "a4")]
    assert [(str(name), [str(row[0]) for row in group]) for name, group in tables.groups(rows)] == [
        ("a", ["1", "2"]),
        ("b", ["3"]),
        ("a", ["4"]),
    ]


def test_markdown_has_a_line_per_row_and_aligns_numbers_to_the_right(small):
    assert markdown(small).splitlines() == [
        "| Regime | ROC AUC | Time |",
        "| --- | ---: | ---: |",
        "| A | 0.9 (0.8–1.0) | 1 s |",
        "| Longer | 0.95 | 12 s |",
    ]


def test_markdown_shows_every_cell_literally():
    line = markdown(table(["a|b"], [["<b>*x*</b> | [y](z)\n"]])).splitlines()
    assert line[0] == "| a\\|b |"
    assert line[2] == "| &lt;b&gt;\\*x\\*&lt;/b&gt; \\| \\[y\\](z) |"


def test_escaped_text_is_one_line_without_markup():
    assert escaped("![x](y)\n`_z_` # {a}") == "\\!\\[x\\](y) \\`\\_z\\_\\` \\# \\{a\\}"


def test_plain_text_has_details_below_the_values(small):
    assert plain_text(small, "Below: intervals.").splitlines() == [
        "Regime  ROC AUC  Time",
        "---------------------",
        "A           0.9   1 s",
        "        0.8–1.0      ",
        "Longer     0.95  12 s",
        "Below: intervals.",
    ]


def test_plain_text_leaves_out_details_and_their_note_where_the_line_would_be_too_long(small):
    rows = [["A", Cell("0.9", "x" * tables.TERMINAL_COLUMNS), "1 s"]]
    assert plain_text(table(small.headers, rows), "Below: intervals.").splitlines() == [
        "Regime  ROC AUC  Time",
        "---------------------",
        "A           0.9   1 s",
    ]


def test_plain_text_may_be_as_wide_as_the_terminal():
    exactly = table(["A", "B"], [["A", Cell("1", "x" * (tables.TERMINAL_COLUMNS - 3))]])
    assert len(plain_text(exactly).splitlines()) == 4
    beyond = table(["A", "B"], [["A", Cell("1", "x" * (tables.TERMINAL_COLUMNS - 2))]])
    assert len(plain_text(beyond).splitlines()) == 3


def test_a_cell_that_spans_columns_widens_none_of_them():
    rows = [["A", "0.9", "1 s"], ["Longest", Cell("failed: a long reason", columns=2)]]
    content = table(["Regime", "AUC", "Time"], rows)
    assert plain_text(content).splitlines() == [
        "Regime   AUC  Time",
        "------------------------------",
        "A        0.9   1 s",
        "Longest  failed: a long reason",
    ]
    assert markdown(content).splitlines()[-1] == "| Longest | failed: a long reason |  |"
