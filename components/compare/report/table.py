"""One kind of table, and its writers: Markdown and plain text here, HTML in `templates/macros.html.j2`."""

import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from components.artifacts.regime_result import Metric
from components.compare.report import formats

TERMINAL_COLUMNS = 120
"""Width of plain text."""


@dataclass(frozen=True)
class Cell:
    """The content of a cell.

    Attributes:
        value: the content.
        detail: in brackets, most often the 95% interval.
        columns: how many columns the cell spans.
    """

    value: str
    detail: str = ""
    columns: int = 1

    def __str__(self) -> str:
        return f"{self.value} ({self.detail})" if self.detail else self.value


@dataclass(frozen=True)
class Table:
    """A table; its first column names the row.

    In a grouped table, adjacent rows with the same first cell are a group, and the second column names the row.

    Attributes:
        headers: titles of the columns.
        rows: one cell per column each; after its first cell, a row may instead have a single one that spans the rest.
    """

    headers: list[str]
    rows: list[list[Cell]]


Row = Sequence[str | Cell]


def table(headers: Sequence[str], rows: Sequence[Row]) -> Table:
    """A table of cells and plain texts."""
    cells = [[content if isinstance(content, Cell) else Cell(content) for content in row] for row in rows]
    return Table(list(headers), cells)


def metric_cell(metric: Metric) -> Cell:
    """A metric with its interval."""
    return Cell(formats.decimal(metric["value"]), formats.span(metric["ci95"]))


def difference_cell(difference: float, ci95: Sequence[float], mark: str = "") -> Cell:
    """A difference with its interval; the mark follows the value."""
    return Cell(formats.signed(difference) + mark, formats.signed_span(ci95))


def groups(rows: Sequence[Sequence[Cell]]) -> list[tuple[Cell, list[list[Cell]]]]:
    """The groups of a grouped table: the first cell, and the rows without it."""
    return [
        (first, [list(row[1:]) for row in group]) for first, group in itertools.groupby(rows, key=lambda row: row[0])
    ]


def escaped(text: str) -> str:
    """Text that Markdown shows literally: nothing in it becomes a link, a picture, emphasis or HTML."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|!])", r"\\\1", plain)


def markdown(content: Table) -> str:
    """The table as GitHub-flavoured Markdown; columns after the first are aligned to the right."""
    lines = ["| --- |" + " ---: |" * (len(content.headers) - 1)]
    for row in content.rows:
        texts = [text for cell in row for text in (escaped(str(cell)), *[""] * (cell.columns - 1))]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(["| " + " | ".join(map(escaped, content.headers)) + " |", *lines])


def plain_text(content: Table, note: str = "") -> str:
    """The table as aligned plain text, with the details of each row on a line below it.

    The details are left out where they would make the table wider than `TERMINAL_COLUMNS`.

    Args:
        content: the table.
        note: explains the details; it is left out with them.
    """
    lines = _aligned([content.headers, *(line for row in content.rows for line in _with_details(row))])
    notes = [note] if note else []
    if max(map(len, lines)) > TERMINAL_COLUMNS:
        lines, notes = _aligned([content.headers, *([cell.value for cell in row] for row in content.rows)]), []
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *notes])


def _with_details(row: Sequence[Cell]) -> list[list[str]]:
    values, details = [cell.value for cell in row], [cell.detail for cell in row]
    return [values, details] if any(details) else [values]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pads the columns to the same width: the first to the left, the others to the right.

    A row with fewer texts than the first one has a second text that spans the rest; no column gets wider by it.
    """
    whole = [row for row in rows if len(row) == len(rows[0])]
    first, *widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    first = max(first, *(len(row[0]) for row in rows))
    return [
        "  ".join([row[0].ljust(first), *(map(str.rjust, row[1:], widths) if len(row) == len(rows[0]) else row[1:])])
        for row in rows
    ]
