"""Tables on what holds beyond the images on which it was chosen: thresholds, calibration, ensembles, training times."""

from components.artifacts.comparison import Findings, with_baseline
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import Change
from components.compare.report import formats
from components.compare.report.table import Cell, Row, Table, difference_cell, metric_cell, table
from components.compare.report.titles import METRIC_TITLES, SUMMARY_METRICS, pair_title


def shift_table(findings: Findings) -> Table:
    """Validation beside test: ROC AUC, and sensitivity + specificity - 1 at the threshold; empty without validation."""
    headers = [
        *("Regime", "ROC AUC, validation", "ROC AUC, test", "Change"),
        *("Specificity, validation", "Specificity, test", "Youden's J, validation", "Youden's J, test", "Change"),
        *("Best J on test (optimistic)", "Distance of scores, normal", "Distance of scores, pneumonia"),
    ]
    rows: list[Row] = []
    for name, regime in with_baseline(findings).items():
        if "shift" not in regime or "validation" not in regime:
            continue
        before, after, shift = regime["validation"]["metrics"], regime["metrics"], regime["shift"]
        rows.append(
            [
                *(REGIME_TITLES[name], metric_cell(before["roc_auc"]), metric_cell(after["roc_auc"])),
                change_cell(shift["roc_auc_change"]),
                *(metric_cell(before["specificity"]), metric_cell(after["specificity"])),
                Cell(
                    formats.decimal(shift["youden_validation"]),
                    f"{formats.decimal(before['youden']['value'])} observed",
                ),
                *(metric_cell(shift["youden"]), change_cell(shift["youden_change"])),
                *(formats.decimal(value) for value in (shift["best_youden"], *shift["kolmogorov_smirnov"].values())),
            ]
        )
    return table(headers, rows)


def calibration_change_table(findings: Findings) -> Table:
    """Whether Platt scaling made the probabilities better or worse on the test images, and what is left to correct."""
    headers = [
        *("Regime", "Change of Brier score", "Change of log loss"),
        *("Slope before", "Slope after", "Intercept before", "Intercept after"),
        *("Calibration error after", "Error of perfect calibration, by chance"),
    ]
    rows: list[Row] = []
    for name, regime in with_baseline(findings).items():
        fit = regime["calibration"]
        before, after = fit["before"], fit["after"]
        rows.append(
            [
                *(REGIME_TITLES[name], change_cell(fit["brier_change"]), change_cell(fit["log_loss_change"])),
                *(change_cell(found, signed=False) for found in (before["slope"], after["slope"])),
                *(change_cell(found) for found in (before["intercept"], after["intercept"])),
                *(metric_cell(after["ece"]), formats.decimal(after["ece_if_calibrated"])),
            ]
        )
    return table(headers, rows)


def ensembles_table(findings: Findings) -> Table:
    """The seeds of each regime as one classifier, beside their mean; empty without several seeds."""
    headers = [
        *("Regime", "Classifier", *(METRIC_TITLES[metric] for metric in SUMMARY_METRICS)),
        *("Training time", "Time per image"),
    ]
    rows: list[Row] = []
    for name, found in findings.get("ensembles", {}).items():
        regime = findings["regimes"][name]
        for title, metrics, seconds, milliseconds in (
            (
                "one training (mean)",
                regime["metrics"],
                regime["cost"]["train_seconds"],
                regime["cost"]["inference_ms_per_image"],
            ),
            (
                f"ensemble of {found['seeds']}",
                found["metrics"],
                found["train_seconds"],
                found["inference_ms_per_image"],
            ),
        ):
            cells = (metric_cell(metrics[metric]) for metric in SUMMARY_METRICS)
            rows.append(
                [REGIME_TITLES[name], title, *cells, formats.duration(seconds), formats.milliseconds(milliseconds)]
            )
    return table(headers, rows)


def training_times_table(findings: Findings) -> Table:
    """Every two training times as a ratio, and whether they were shown to differ."""
    rows: list[Row] = []
    for pair in findings["training_times"]:
        ends = pair["ci95"]
        span = f"{ends[0]:.2f} to {ends[1]:.2f}" if ends else "one was timed once"
        conclusion = "different" if pair["shown"] else "no difference shown" if ends else "not tested"
        rows.append(
            [
                pair_title(pair["a"], pair["b"]).replace("−", "/"),
                Cell(f"{pair['ratio']:.3g}", span),
                conclusion,
            ]
        )
    return table(["Training times", "Ratio (95% interval over the seeds)", "Conclusion"], rows)


def noninferiority_table(findings: Findings) -> Table:
    """Every candidate against every other one: the loss, its bound, and the power to show it within the margin."""
    tested = findings["noninferiority"]
    headers = [
        *("Candidate", "Against", "Loss of ROC AUC", f"Bound (one-sided, {1 - tested['level']:.1%})"),
        *(f"At most {tested['margin']:g}", "Power if equal", "Test patients for 80% power"),
    ]
    rows: list[Row] = [
        [
            *(REGIME_TITLES[pair["candidate"]], REGIME_TITLES[pair["other"]]),
            *(formats.signed(pair["loss"]), formats.signed(pair["upper_bound"])),
            *("shown" if pair["shown"] else "not shown", f"{pair['power']:.0%}"),
            "needs more seeds" if pair["patients_needed"] is None else formats.count(pair["patients_needed"]),
        ]
        for pair in tested["pairs"]
    ]
    return table(headers, rows)


def change_cell(found: Change | None, signed: bool = True) -> Cell:
    """A change with its interval, or a value (such as a slope) that is no change."""
    if found is None:
        return Cell(formats.UNKNOWN, "not defined: the scores separate the classes, or are all equal")
    if signed:
        return difference_cell(found["value"], found["ci95"])
    low, high = found["ci95"]
    return Cell(f"{found['value']:.2f}", f"{low:.2f} to {high:.2f}")
