"""Tables of the numbers of labelled patients, and `label_budgets.csv`."""

import pandas as pd

from components.artifacts.comparison import Findings
from components.artifacts.label_budget_results import LabelBudgetResults, OnTestSet, RegimeOnBudgets
from components.artifacts.names import REGIME_TITLES, REGIMES
from components.artifacts.regime_result import Metric
from components.compare.report import formats
from components.compare.report.failures import outcome
from components.compare.report.table import Cell, Row, Table, difference_cell, metric_cell, table
from components.compare.report.titles import pair_title

TEST_SETS = {"test": "", "external": "external_"}


def all_tables(found: LabelBudgetResults) -> dict[str, Table]:
    """Every table of the section by its name in the template; those of the external test set only with one."""
    shown: dict[str, Table] = {}
    for where, prefix in TEST_SETS.items():
        on = found if where == "test" else found.get("external")
        if on:
            shown |= {
                f"{prefix}budgets": budgets_table(found, on, "roc_auc", with_labels=where == "test"),
                f"{prefix}budgets_accuracy": budgets_table(found, on, "accuracy"),
                f"{prefix}budgets_differences": differences_table(on),
                f"{prefix}budgets_curves": curves_table(found, on),
            }
    return shown


def budgets_table(found: LabelBudgetResults, on: OnTestSet, metric: str, with_labels: bool = False) -> Table:
    """A metric of every regime by number of labelled patients.

    Args:
        found: everything about label budgets.
        on: the results on one of the test sets.
        metric: "roc_auc" or "accuracy".
        with_labels: whether to show what the labels are for and cost.
    """
    names = list(on["regimes"])
    further = ["For training + for validation"] * with_labels
    further += ["Price of the labels"] * (with_labels and found["label_price"] is not None)
    rows: list[Row] = []
    for cost in found["costs"]:
        points = {name: _point(on["regimes"][name], cost["patients"], metric) for name in names}
        if cost["split"] is None or not any(points.values()):
            continue
        whole = cost["patients"] == found["patients"]
        rows.append(
            [
                f"{formats.count(cost['patients'])}{' (all)' if whole else ''}",
                *(metric_cell(point) if point else formats.UNKNOWN for point in points.values()),
                *[
                    f"{formats.count(cost['split']['train'])} + {formats.count(cost['split']['validation'])}",
                    formats.price(cost["price"]),
                ][: len(further)],
            ]
        )
    return table(["Patients", *(REGIME_TITLES[name] for name in names), *further], rows)


def _point(regime: RegimeOnBudgets, patients: int, metric: str) -> Metric | None:
    for point in regime["points"]:
        if point["patients"] == patients:
            return point["roc_auc"] if metric == "roc_auc" else point["accuracy"]
    return None


def differences_table(on: OnTestSet) -> Table:
    """Every two regimes by number of labelled patients; * marks differences that are shown."""
    numbers = sorted({gap["patients"] for pair in on["pairs"] for gap in pair["differences"]})
    rows: list[Row] = []
    for pair in on["pairs"]:
        known = {gap["patients"]: gap for gap in pair["differences"]}
        rows.append(
            [
                pair_title(pair["a"], pair["b"]),
                *(
                    difference_cell(known[n]["difference"], known[n]["ci95"], "*" if known[n]["ahead"] else "")
                    if n in known
                    else formats.UNKNOWN
                    for n in numbers
                ),
            ]
        )
    return table(["Difference in ROC AUC", *(f"{formats.count(n)} patients" for n in numbers)], rows)


def curves_table(found: LabelBudgetResults, on: OnTestSet) -> Table:
    """The learning curve of every regime and its forecast, or why there is none; of those that failed what happened."""
    headers = ["Regime", "Limit a", "Exponent c", "p of the fit", *_forecast_headers(found)]
    rows: list[Row] = []
    for name in sorted([*on["regimes"], *found["failed"]], key=REGIMES.index):
        if name in found["failed"]:
            rows.append([REGIME_TITLES[name], Cell(outcome(found["failed"][name]), columns=len(headers) - 1)])
            continue
        regime = on["regimes"][name]
        curve, twice = regime["curve"], regime["doubling"]
        if curve is None:
            text = f"no curve: {regime['why_no_curve']}"
            rows.append([REGIME_TITLES[name], Cell(text, columns=len(headers) - 1)])
            continue
        rows.append(
            [
                *(REGIME_TITLES[name], formats.decimal(curve["a"]), f"{curve['c']:.2f}"),
                formats.probability(curve["p_value"]),
                metric_cell(twice["roc_auc"]) if twice else formats.UNKNOWN,
                difference_cell(twice["gain"]["value"], twice["gain"]["ci95"]) if twice else formats.UNKNOWN,
            ]
        )
    return table(headers, rows)


def _forecast_headers(found: LabelBudgetResults) -> list[str]:
    twice = formats.count(2 * found["patients"]) if found["patients"] else "twice as many"
    price = found["costs"][-1]["price"] if found["costs"] else None
    return [f"ROC AUC with {twice} patients", f"Gain{f' (labels: {formats.price(price / 2)} more)' if price else ''}"]


def budgets_frame(findings: Findings) -> pd.DataFrame | None:
    """The content of `label_budgets.csv`: one row per regime and number of patients; None without label budgets."""
    found = findings.get("label_budgets")
    if not found:
        return None
    prices = {cost["patients"]: cost for cost in found["costs"]}
    rows: list[dict[str, str | float | bool | None]] = []
    for name, regime in found["regimes"].items():
        for point in regime["points"]:
            split = prices[point["patients"]]["split"]
            row: dict[str, str | float | bool | None] = {
                "regime": name,
                "title": REGIME_TITLES[name],
                "patients": point["patients"],
                "all": point["all"],
                "train_patients": split and split["train"],
                "validation_patients": split and split["validation"],
                "trainings": point["trainings"],
                "label_price": prices[point["patients"]]["price"],
            }
            for where, prefix in TEST_SETS.items():
                on = found if where == "test" else found.get("external")
                if on:
                    row |= _columns(prefix, on["regimes"][name], point["patients"])
            rows.append(row)
    return pd.DataFrame(rows)


def _columns(prefix: str, regime: RegimeOnBudgets, patients: int) -> dict[str, str | float | bool | None]:
    found: dict[str, str | float | bool | None] = {}
    for metric in ("roc_auc", "accuracy"):
        if point := _point(regime, patients, metric):
            low, high = point["ci95"]
            name = f"{prefix}{metric}"
            found |= {name: point["value"], f"{name}_low": low, f"{name}_high": high}
    return found
