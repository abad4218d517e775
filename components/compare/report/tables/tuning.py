"""Tables of the searches: ROC AUC on validation by learning rate and by trainable layers, and what each seed kept."""

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.tuning_result import Sensitivity
from components.compare.report import formats
from components.compare.report.table import Cell, Row, Table, metric_cell, table
from components.compare.report.tuning import candidate, regimes

HEADERS = ("Validation ROC AUC", "Kept by", "Diverged")


def tables(findings: Findings) -> dict[str, Table]:
    """All of them by their names in the template."""
    return {
        "tuned_rates": learning_rate_table(findings),
        "tuned_layers": layers_table(findings),
        "tuned_kept": kept_table(findings),
    }


def learning_rate_table(findings: Findings) -> Table:
    """Every regime by multiple of the learning rate; a head that is solved by strength of its penalty instead."""
    rows: list[Row] = []
    for name, regime in regimes(findings).items():
        if "strength" in regime:
            rows += [
                [
                    *(REGIME_TITLES[name], f"penalty C = {own['value']:g}"),
                    *(formats.decimal(own["roc_auc"]), _seeds(own["kept"], own["seeds"]), formats.UNKNOWN),
                ]
                for own in regime["strength"]
            ]
        rows += [[REGIME_TITLES[name], f"× {own['value']:g}", *_cells(own)] for own in regime.get("learning_rate", [])]
    return table(["Regime", "Learning rate", *HEADERS], rows)


def layers_table(findings: Findings) -> Table:
    """Partial fine-tuning by number of trainable layers."""
    rows: list[Row] = [
        [REGIME_TITLES[name], f"{own['value']:g}", *_cells(own)]
        for name, regime in regimes(findings).items()
        for own in regime.get("trainable_layers", [])
    ]
    return table(["Regime", "Trainable layers", *HEADERS], rows)


def kept_table(findings: Findings) -> Table:
    """The candidate that each seed kept."""
    rows: list[Row] = [
        [
            *(REGIME_TITLES[name], seed, formats.count(kept["candidates"])),
            *(formats.decimal(kept["validation_auc"]), candidate(kept)),
        ]
        for name, regime in regimes(findings).items()
        for seed, kept in regime["kept"].items()
    ]
    return table(["Regime", "Seed", "Candidates", "Validation ROC AUC", "Kept"], rows)


def _cells(own: Sensitivity) -> list[str | Cell]:
    value = metric_cell(own["roc_auc"]) if own["roc_auc"] else Cell(formats.UNKNOWN)
    return [value, _seeds(own["kept"], own["seeds"]), _seeds(own["diverged"], own["seeds"])]


def _seeds(count: int, seeds: int) -> str:
    return f"{count} of {formats.counted(seeds, 'seed', 'seeds')}"
