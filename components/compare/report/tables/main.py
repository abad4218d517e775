"""The main table, quality and cost of every regime: for the report, for a terminal, and as CSV."""

from collections.abc import Callable
from statistics import stdev

import pandas as pd

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import FLOOR, REGIME_TITLES, REGIMES
from components.artifacts.regime_result import RegimeResult
from components.compare.report import formats
from components.compare.report.failures import outcome, warnings
from components.compare.report.table import Cell, Row, Table, metric_cell, plain_text, table
from components.compare.report.titles import MAIN_METRICS, METRIC_TITLES

TERMINAL_METRICS = ("accuracy", "precision", "recall", "specificity", "roc_auc")
WITH_INTERVAL = ("accuracy", "roc_auc")
"""Metrics whose intervals the terminal shows."""


def main_table(findings: Findings) -> Table:
    """The table that answers the question: quality and cost of each regime."""
    with_gpu = any(regime["cost"]["peak_gpu_memory_mb"] is not None for regime in findings["regimes"].values())
    headers = [
        *("Regime", *(METRIC_TITLES[metric] for metric in MAIN_METRICS)),
        *("Training time", "Peak memory", *(["Peak GPU memory"] if with_gpu else [])),
        *("Parameters trained", "Model size", "Time per image"),
    ]
    return table(headers, _with_failed(findings, lambda name, regime: _row(name, regime, with_gpu), len(headers)))


def _with_failed(findings: Findings, row: Callable[[str, RegimeResult], Row], columns: int) -> list[Row]:
    """A row for each regime, of those that failed with what happened, and last one for the baseline."""
    known, failed = with_baseline(findings), findings.get("failed", {})
    return [
        row(name, known[name])
        if name in known
        else [REGIME_TITLES[name], Cell(outcome(failed[name]), columns=columns - 1)]
        for name in sorted([*known, *failed], key=[*REGIMES, FLOOR].index)
    ]


def _row(name: str, regime: RegimeResult, with_gpu: bool) -> Row:
    metrics, cost = regime["metrics"], regime["cost"]
    return [
        REGIME_TITLES[name],
        *(metric_cell(metrics[metric]) for metric in MAIN_METRICS),
        _training_time(regime),
        formats.megabytes(cost["peak_memory_mb"]),
        *([formats.megabytes(cost["peak_gpu_memory_mb"])] if with_gpu else []),
        Cell(formats.count(cost["trainable_parameters"]), f"of {formats.count(cost['parameters'])}"),
        formats.megabytes(cost["model_mb"]),
        formats.milliseconds(cost["inference_ms_per_image"]),
    ]


def _training_time(regime: RegimeResult) -> Cell:
    """The mean over the seeds, and with several their standard deviation."""
    seconds = list(regime.get("train_seconds_by_seed", {}).values())
    spread = f"± {formats.duration(stdev(seconds))}" if seconds else ""
    return Cell(formats.duration(regime["cost"]["train_seconds"]), spread)


def terminal_table(findings: Findings) -> str:
    """The main figures as plain text, with the 95% intervals of accuracy and ROC AUC where the width allows it.

    Below them stands why a regime failed.
    """
    headers = [
        *("Regime", "Accuracy", "Precision", "Recall", "Specificity", "ROC AUC"),
        *("Train time", "Memory", "Trained"),
    ]
    rows = _with_failed(findings, _terminal_row, len(headers))
    note = "Below accuracy and ROC AUC: 95% intervals. Memory: peak of the process. Trained: parameters."
    return "\n\n".join([plain_text(table(headers, rows), note), *warnings(findings)])


def _terminal_row(name: str, regime: RegimeResult) -> Row:
    cells = {metric: metric_cell(regime["metrics"][metric]) for metric in TERMINAL_METRICS}
    return [
        REGIME_TITLES[name],
        *(cell if metric in WITH_INTERVAL else cell.value for metric, cell in cells.items()),
        formats.duration(regime["cost"]["train_seconds"]),
        formats.megabytes(regime["cost"]["peak_memory_mb"]),
        formats.short_count(regime["cost"]["trainable_parameters"]),
    ]


def results_frame(findings: Findings) -> pd.DataFrame:
    """The content of `results.csv`: one row per regime, with every metric and its interval, the threshold and the cost.

    The baseline has the last row. A regime that failed has none, so that no program that reads numbers from this file
    meets a gap; `results.json` names it. Numbers have full precision, so this is not a `Table`, whose cells are texts.
    """
    rows = []
    for name, regime in with_baseline(findings).items():
        row: dict[str, str | float | None] = {"regime": name, "title": REGIME_TITLES[name]}
        for metric, entry in regime["metrics"].items():
            low, high = entry["ci95"]
            row |= {metric: entry["value"], f"{metric}_low": low, f"{metric}_high": high}
        rows.append({**row, "threshold": regime["threshold"]["value"], **regime["cost"]})
    return pd.DataFrame(rows)
