"""Tables of clinical use at a given prevalence."""

from components.artifacts.clinical_use import ClinicalUse, NetBenefit
from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import Metric
from components.compare.report import formats
from components.compare.report.clinical import in_use, percentage, verdict
from components.compare.report.table import Cell, Row, Table, difference_cell, metric_cell, table


def predictive_values_table(findings: Findings, use: ClinicalUse) -> Table:
    """Predictive values and outcomes of the decisions at the chosen threshold, a row for each regime."""
    headers = [
        *("Regime", "Sensitivity", "Specificity", "PPV", "NPV"),
        *("Of 1,000: detected", "missed", "false alarms", "Risk at the threshold"),
    ]
    metrics = {name: regime["metrics"] for name, regime in with_baseline(findings).items()}
    rows: list[Row] = [
        [
            REGIME_TITLES[name],
            metric_cell(metrics[name]["recall"]),
            metric_cell(metrics[name]["specificity"]),
            _value_cell(regime["ppv"]),
            _value_cell(regime["npv"]),
            *(
                f"{regime['per_thousand'][group]:.1f}"
                for group in ("true_positives", "false_negatives", "false_positives")
            ),
            percentage(regime["risk_at_threshold"]),
        ]
        for name, regime in in_use(use).items()
    ]
    return table(headers, rows)


def _value_cell(metric: Metric | None) -> Cell:
    return metric_cell(metric) if metric else Cell(formats.UNKNOWN)


def net_benefit_table(use: ClinicalUse) -> Table:
    """The net benefit of both ways to decide, two rows for each regime; empty without a harm ratio."""
    wanted = use["threshold_probability"]
    headers = ["Regime", "Decision", "Sensitivity", "Specificity", "Net benefit", "Gain", "Conclusion"]
    rows: list[Row] = []
    for name, regime in in_use(use).items():
        if wanted is not None and "at_threshold" in regime and "by_risk" in regime:
            rows.append([REGIME_TITLES[name], "chosen threshold", *_net_benefit(regime["at_threshold"])])
            rows.append(
                [REGIME_TITLES[name], f"risk of at least {percentage(wanted)}", *_net_benefit(regime["by_risk"])]
            )
    return table(headers, rows)


def _net_benefit(found: NetBenefit) -> list[Cell]:
    return [
        metric_cell(found["recall"]),
        metric_cell(found["specificity"]),
        difference_cell(found["net_benefit"]["value"], found["net_benefit"]["ci95"]),
        difference_cell(found["gain"]["value"], found["gain"]["ci95"]),
        Cell(verdict(found)),
    ]
