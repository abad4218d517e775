"""Tables of cost: Pareto fronts, speed, price."""

from components.artifacts.comparison import Findings
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import RegimeResult
from components.compare.report import formats
from components.compare.report.table import Table, table
from components.compare.report.titles import COST_TITLES


def pareto_table(findings: Findings) -> Table:
    """The Pareto front of each cost."""
    rows = [
        [COST_TITLES[cost], ", ".join(REGIME_TITLES[name] for name in front)]
        for cost, front in findings["pareto"].items()
    ]
    return table(["Cost", "Pareto-optimal regimes, cheapest first"], rows)


def cost_table(findings: Findings) -> Table:
    """Speed of training and inference, price, and time to a given quality, a row for each regime."""
    levels = list(next(iter(findings["regimes"].values()))["time_to_auc"])
    headers = [
        *("Regime", "Epochs", "Training time", "Price of training", "Training images/s", "Time per image"),
        *("Inference images/s", *(f"Time to validation AUC {level}" for level in levels)),
    ]
    rows = [[REGIME_TITLES[name], *_costs(regime, levels)] for name, regime in findings["regimes"].items()]
    return table(headers, rows)


def _costs(regime: RegimeResult, levels: list[str]) -> list[str]:
    cost = regime["cost"]
    return [
        formats.count(cost["epochs"]) if cost["epochs"] else "solved directly",
        formats.duration(cost["train_seconds"]),
        formats.price(cost["training_price"]),
        formats.rate(cost["images_per_second"]),
        formats.milliseconds(cost["inference_ms_per_image"]),
        formats.rate(cost["inference_images_per_second"]),
        *(formats.duration(regime["time_to_auc"][level]) for level in levels),
    ]
