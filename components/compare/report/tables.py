"""How numbers and tables look, written once for the report, the Markdown summary and the terminal."""

import html
import itertools
import re
from dataclasses import dataclass
from typing import Any

from components.artifacts.names import FLOOR, REGIME_TITLES, WEIGHTS_TITLES

TERMINAL_COLUMNS = 120
"""Widest line of the terminal's table."""

UNKNOWN = "–"


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table: a value, and a detail in brackets, most often its 95% interval."""

    value: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.detail})" if self.detail else self.value


def backbone(facts: dict[str, str]) -> str:
    """A backbone by its name and where its weights come from."""
    return f"{facts['name']}, weights: {WEIGHTS_TITLES.get(facts['weights'], facts['weights'])}"


def decimal(value: float | None) -> str:
    """A metric with three decimals, for example `0.987`."""
    return UNKNOWN if value is None else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference with its sign, for example `+0.012` or `−0.003`; zero has none."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "−")


def span(ends: list[float]) -> str:
    """The ends of an interval of a metric, for example `0.975–0.995`."""
    return f"{ends[0]:.3f}–{ends[1]:.3f}"


def signed_span(ends: list[float]) -> str:
    """The ends of an interval of a difference, for example `−0.003 to +0.012`."""
    return f"{signed(ends[0])} to {signed(ends[1])}"


def metric_cell(metric: dict[str, Any]) -> Cell:
    """A metric with its interval."""
    return Cell(decimal(metric["value"]), span(metric["ci95"]))


def probability(value: float) -> str:
    """A p-value, for example `0.012` or `<0.001`."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """A time, for example `12.3 s`, `4 min 5 s` or `2 h 5 min`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min"


def megabytes(value: float | None) -> str:
    """A size, for example `1,234 MB`; small ones keep a decimal, tiny ones are in kB."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.05:
        return f"{1000 * value:,.1f} kB"
    return f"{value:,.1f} MB" if value < 99.95 else f"{value:,.0f} MB"


def price(value: float | None) -> str:
    """An amount of money in whatever currency, for example `1.25` or `0.0042`."""
    return UNKNOWN if value is None else f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"


def count(value: float | None) -> str:
    """A number of things with thousands separators, for example `2,259,265`; means keep a decimal."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def short_count(value: float | None) -> str:
    """A large number with three digits, for example `2.26 M`."""
    if value is None:
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= 0.9995 * size:
            return f"{float(f'{value / size:.3g}'):g} {unit}"
    return f"{value:g}"


def percent(part: float, whole: float) -> str:
    """A share, for example `62.5%`."""
    return f"{100 * part / whole:.1f}%" if whole else UNKNOWN


def milliseconds(value: float | None) -> str:
    """The time of one image, for example `4.31 ms`."""
    return UNKNOWN if value is None else f"{value:.3g} ms"


def counted(number: float, one: str, many: str) -> str:
    """A number with its noun, for example `1 file` or `2,000 files`."""
    return f"{count(number)} {one if number == 1 else many}"


def typeset(text: object) -> str:
    """Text whose numbers stay in one line: a number with its unit, and the two ends of an interval."""
    text = re.sub(r"(?<=\d) (?=(?:ms|s|min|h|MB|kB|[KMG])\b)", "\N{NO-BREAK SPACE}", str(text))
    text = re.sub(r"\b(min|h) (?=\d)", "\\1\N{NO-BREAK SPACE}", text)
    return re.sub(r"(?<=\d)–(?=\d)", "\N{WORD JOINER}–\N{WORD JOINER}", text)


def grouped(rows: list[list[Any]]) -> list[tuple[Any, list[list[Any]]]]:
    """Neighbouring rows with the same first cell together: that cell, and the rows without it."""
    return [(first, [row[1:] for row in group]) for first, group in itertools.groupby(rows, key=lambda row: row[0])]


def all_rows(results: dict[str, Any]) -> dict[str, Any]:
    """The regimes, and after them the floor where there is one."""
    return results["regimes"] | ({FLOOR: results["floor"]} if "floor" in results else {})


def main_table(results: dict[str, Any]) -> tuple[list[str], list[list[Cell]]]:
    """The table that answers the question: quality and cost of each regime.

    Returns:
        Headers, and a row a regime.
    """
    headers = [
        *("Regime", "Accuracy", "Precision", "Recall (sensitivity)", "Specificity", "F1", "ROC AUC"),
        *("Training time", "Peak memory", "Parameters trained", "Model size", "Time per image"),
    ]
    with_gpu = any(regime["cost"]["peak_gpu_memory_mb"] is not None for regime in results["regimes"].values())
    if with_gpu:
        headers.insert(9, "Peak GPU memory")
    rows = []
    for name, regime in all_rows(results).items():
        metrics, cost = regime["metrics"], regime["cost"]
        quality = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc")
        memory = [cost["peak_memory_mb"], *([cost["peak_gpu_memory_mb"]] if with_gpu else [])]
        rows.append(
            [
                Cell(REGIME_TITLES[name]),
                *(metric_cell(metrics[metric]) for metric in quality),
                Cell(duration(cost["train_seconds"])),
                *(Cell(megabytes(value)) for value in memory),
                Cell(count(cost["trainable_parameters"]), f"of {count(cost['parameters'])}"),
                Cell(megabytes(cost["model_mb"])),
                Cell(milliseconds(cost["inference_ms_per_image"])),
            ]
        )
    return headers, rows


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: nothing in it becomes a link, a picture, emphasis or HTML."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#|!])", r"\\\1", plain)


def markdown_table(headers: list[str], rows: list[list[Cell]]) -> str:
    """The table as GitHub-flavoured Markdown, numbers to the right."""
    lines = ["| " + " | ".join(headers) + " |", "| --- |" + " ---: |" * (len(headers) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def terminal_table(results: dict[str, Any]) -> str:
    """The main figures as aligned plain text of at most `TERMINAL_COLUMNS` columns.

    A second line under each regime gives the 95% intervals of accuracy and ROC AUC, where the width allows it.

    Args:
        results: content of `results.json`.
    """
    headers = [
        *("Regime", "Accuracy", "Precision", "Recall", "Specificity", "ROC AUC"),
        *("Train time", "Memory", "Trained"),
    ]
    rows, intervals = [], []
    for name, regime in all_rows(results).items():
        metrics, cost = regime["metrics"], regime["cost"]
        names = ("accuracy", "precision", "recall", "specificity", "roc_auc")
        rows.append(
            [
                REGIME_TITLES[name],
                *(decimal(metrics[metric]["value"]) for metric in names),
                duration(cost["train_seconds"]),
                megabytes(cost["peak_memory_mb"]),
                short_count(cost["trainable_parameters"]),
            ]
        )
        shown = (span(metrics[metric]["ci95"]) if metric in ("accuracy", "roc_auc") else "" for metric in names)
        intervals.append(["", *shown, "", "", ""])
    lines = aligned([headers, *(line for pair in zip(rows, intervals, strict=True) for line in pair)])
    if max(map(len, lines)) > TERMINAL_COLUMNS:
        return "\n".join(ruled(aligned([headers, *rows])))
    note = "Below accuracy and ROC AUC: 95% intervals. Memory: peak of the process. Trained: parameters."
    return "\n".join([*ruled(lines), note])


def ruled(lines: list[str]) -> list[str]:
    """Draws a line under the first."""
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def aligned(rows: list[list[str]]) -> list[str]:
    """Pads the columns to one width each: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
