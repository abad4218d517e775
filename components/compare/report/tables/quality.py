"""Tables of quality: differences, every metric, the external test set, thresholds, calibration, subgroups, seeds."""

from collections.abc import Collection, Sequence

from components.artifacts.comparison import FIRST_METRICS, ExternalResult, Findings, with_baseline
from components.artifacts.differences import Difference
from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR, REGIME_TITLES
from components.artifacts.regime_result import (
    POINT_METRICS,
    SUBGROUP_METRICS,
    PointResult,
    RegimeResult,
    SubgroupResult,
)
from components.compare import recommendation
from components.compare.report import formats
from components.compare.report.recommendation import verdict_text
from components.compare.report.table import Cell, Row, Table, difference_cell, metric_cell, table
from components.compare.report.titles import METRIC_TITLES, SUMMARY_METRICS, namer, pair_title, subgroup_description


def differences_table(
    findings: Findings, pairs: Sequence[Difference], metrics: Collection[str] = FIRST_METRICS
) -> Table:
    """Every paired difference in these metrics, with the conclusion from it."""
    name = namer(findings)
    headers = ["Metric", "Pair", "Difference (95% interval)", "p", "p, corrected", "Test", "Conclusion"]
    rows: list[Row] = [
        [
            METRIC_TITLES[pair["metric"]],
            pair_title(pair["a"], pair["b"]),
            difference_cell(pair["difference"], pair["ci95"]),
            formats.probability(pair["p_value"]),
            formats.probability(pair["p_value_holm"]),
            pair["test"],
            verdict_text(pair, (name(pair["a"], True), name(pair["b"], True))),
        ]
        for pair in pairs
        if pair["metric"] in metrics
    ]
    return table(headers, rows)


def further_differences_table(findings: Findings) -> Table:
    """The differences in all other metrics, a column for each pair; a star marks those significant once corrected."""
    found = {(pair["metric"], pair["a"], pair["b"]): pair for pair in findings["comparisons"]}
    pairs = list(dict.fromkeys((a, b) for _, a, b in found))
    metrics = [metric for metric in METRICS if metric not in FIRST_METRICS]
    rows: list[Row] = [
        [METRIC_TITLES[metric], *(_starred(found[metric, a, b]) for a, b in pairs)] for metric in metrics
    ]
    return table(["Metric", *(pair_title(a, b) for a, b in pairs)], rows if pairs else [])


def _starred(pair: Difference) -> Cell:
    mark = " *" if recommendation.verdict(pair).certain else ""
    return difference_cell(pair["difference"], pair["ci95"], mark)


def metrics_table(findings: Findings) -> Table:
    """Every metric and the threshold, a column for each regime."""
    regimes = findings["regimes"]
    rows: list[Row] = [
        [METRIC_TITLES[metric], *(metric_cell(regime["metrics"][metric]) for regime in regimes.values())]
        for metric in METRICS
    ]
    rows.append(["Threshold", *(formats.decimal(regime["threshold"]["value"]) for regime in regimes.values())])
    return table(["Metric", *(REGIME_TITLES[name] for name in regimes)], rows)


def external_table(findings: Findings, external: ExternalResult) -> Table:
    """The same models on the test images and on the external test set."""
    headers = [
        *("Regime", "ROC AUC on the test images"),
        *(f"{METRIC_TITLES[metric]}, external" for metric in SUMMARY_METRICS),
    ]
    results = dict(external["regimes"])
    if "floor" in external:
        results[FLOOR] = external["floor"]
    rows: list[Row] = [
        [
            REGIME_TITLES[name],
            metric_cell(regime["metrics"]["roc_auc"]),
            *(metric_cell(results[name]["metrics"][metric]) for metric in SUMMARY_METRICS),
        ]
        for name, regime in with_baseline(findings).items()
    ]
    return table(headers, rows)


def points_table(findings: Findings) -> Table:
    """The performance of every threshold on the test images."""
    headers = ["Regime", "Threshold", "Chosen on", *(METRIC_TITLES[metric] for metric in POINT_METRICS)]
    rows: list[Row] = [
        [
            REGIME_TITLES[name],
            Cell(formats.decimal(point["threshold"]), point["name"]),
            point["chosen_on"] or formats.UNKNOWN,
            *(metric_cell(point["metrics"][metric]) for metric in POINT_METRICS),
        ]
        for name, regime in with_baseline(findings).items()
        for point in _points(regime)
    ]
    return table(headers, rows)


def _points(regime: RegimeResult) -> list[PointResult]:
    """The threshold of the regime and the further ones."""
    chosen = regime["threshold"]
    own: PointResult = {
        "name": chosen["rule"],
        "threshold": chosen["value"],
        "chosen_on": chosen["chosen_on"],
        "metrics": regime["metrics"],
    }
    return [own, *regime["operating_points"]]


def calibration_table(findings: Findings) -> Table:
    """Brier score and calibration error before and after Platt scaling, and points of the test ROC curve."""
    points = list(next(iter(findings["regimes"].values()))["test_curve"])
    headers = ["Regime", "Temperature", "Offset", "Brier score", "after scaling", "Calibration error", "after scaling"]
    rows: list[Row] = []
    for name, regime in with_baseline(findings).items():
        fit = regime["calibration"]
        stages = [fit["before"]["brier"], fit["after"]["brier"], fit["before"]["ece"], fit["after"]["ece"]]
        rows.append(
            [
                *(REGIME_TITLES[name], formats.decimal(fit["temperature"]), formats.signed(fit["offset"])),
                *map(metric_cell, stages),
                *(formats.decimal(regime["test_curve"][point]) for point in points),
            ]
        )
    return table(headers + [f"{point}, read off the test curve" for point in points], rows)


def subgroups_table(findings: Findings) -> Table:
    """Quality on the subgroups of this test set."""
    metrics = ("roc_auc", *SUBGROUP_METRICS)
    regimes = with_baseline(findings)
    rows: list[Row] = [
        [
            Cell(subgroup_description(subgroup), f"{formats.count(regime['subgroups'][subgroup]['images'])} images"),
            REGIME_TITLES[name],
            *(_subgroup_cell(regime["subgroups"][subgroup], metric) for metric in metrics),
        ]
        for subgroup in next(iter(regimes.values()))["subgroups"]
        for name, regime in regimes.items()
    ]
    return table(["Test images", "Regime", *(METRIC_TITLES[metric] for metric in metrics)], rows)


def _subgroup_cell(found: SubgroupResult, metric: str) -> Cell:
    return metric_cell(found["metrics"][metric]) if metric in found["metrics"] else Cell(formats.UNKNOWN)


def seeds_table(findings: Findings) -> Table:
    """ROC AUC and accuracy of every training of the regimes with several seeds, and their standard deviation."""
    rows: list[Row] = []
    for name, regime in findings["regimes"].items():
        if "per_seed" in regime:
            for seed, values in regime["per_seed"].items():
                rows.append([REGIME_TITLES[name], seed, *(formats.decimal(values[metric]) for metric in FIRST_METRICS)])
            spread = (formats.decimal(regime["metrics"][metric].get("sd_seeds")) for metric in FIRST_METRICS)
            rows.append([REGIME_TITLES[name], "standard deviation", *spread])
    return table(["Regime", "Seed", *(METRIC_TITLES[metric] for metric in FIRST_METRICS)], rows)
