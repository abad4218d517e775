"""Plots of clinical use at a given prevalence: decision curves, calibration and distribution of the risks."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, PercentFormatter

from components.artifacts.clinical_use import ClinicalUse, RegimeInUse, RiskHistogram
from components.artifacts.comparison import Findings
from components.artifacts.names import FLOOR, REGIME_TITLES
from components.compare.report import formats
from components.compare.report.clinical import in_use, percentage
from components.compare.report.plots.marks import sentence
from components.compare.report.plots.picture import Drawing
from components.look import INK, LOOKS, MUTED

LOWEST = -0.4
"""Lower end of the decision curves' axis, in units of the prevalence, which is the highest net benefit possible."""


def decision_curves(findings: Findings) -> Drawing | None:
    """The net benefit of deciding by the predicted risk against the threshold probability, a panel per regime."""
    use = findings.get("clinical_use")
    if not use:
        return None
    regimes, cuts = in_use(use), use["threshold_probabilities"]
    figure, panels = _panels(regimes, 1, 3.5)
    for axes, (name, regime) in zip(panels[0], regimes.items(), strict=True):
        axes.axhline(0, color=INK, linewidth=1)
        axes.plot(cuts, use["treat_all_curve"], color=MUTED, linewidth=1.2, linestyle="--")
        low, high = np.array([point["ci95"] for point in regime["decision_curve"]]).T
        axes.fill_between(cuts, low, high, color=LOOKS[name].colour, alpha=0.2, linewidth=0)
        axes.plot(cuts, [point["value"] for point in regime["decision_curve"]], color=LOOKS[name].colour)
        if use["threshold_probability"]:
            axes.axvline(use["threshold_probability"], color=MUTED, linewidth=1, linestyle=":")
        axes.set(xlim=(0, cuts[-1]), ylim=(LOWEST * use["prevalence"], 1.08 * use["prevalence"]), title=_wrapped(name))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0][0].set_ylabel("Net benefit")
    figure.supxlabel("Threshold probability", fontsize=10)
    marks = [
        Line2D([], [], color=MUTED, linewidth=1.2, linestyle="--", label="treat everybody"),
        Line2D([], [], color=INK, linewidth=1, label="treat nobody"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2)
    return Drawing(
        figure,
        f"Decision curves at a prevalence of {percentage(use['prevalence'])}",
        "The net benefit of calling pneumonia where the predicted risk reaches the threshold probability, for other "
        "answers to how much worse a missed pneumonia is than a false alarm: 10% stands for 9 times, 20% for 4 times, "
        "50% for equally bad. Shaded: pointwise 95% intervals, in which the calibration is taken as fixed. "
        + ("Dotted: the given harm ratio. " if use["threshold_probability"] else "")
        + "Below the axis curves are cut off.",
        _net_benefit_words(use),
    )


def risks(findings: Findings) -> Drawing | None:
    """Calibration curve and distribution of the predicted risks, a column per regime."""
    use = findings.get("clinical_use")
    if not use:
        return None
    regimes = in_use(use)
    figure, panels = _panels(regimes, 2, 5.4)
    for upper, lower, (name, regime) in zip(*panels, regimes.items(), strict=True):
        _calibration(upper, regime, LOOKS[name].colour)
        upper.set_title(_wrapped(name))
        _distribution(lower, regime["risks"], LOOKS[name].colour)
        lower.xaxis.set_major_locator(FixedLocator([0, 0.4, 0.8]))
        lower.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0][0].set_ylabel("Observed share\nof pneumonia")
    panels[1][0].set_ylabel("Share of the\nclass's images")
    for row in panels:
        row[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("Predicted risk of pneumonia", fontsize=10)
    marks = [
        Patch(facecolor="none", edgecolor=MUTED, label="normal"),
        Patch(facecolor=MUTED, alpha=0.6, label="pneumonia"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2)
    return Drawing(
        figure,
        f"Predicted risks at a prevalence of {percentage(use['prevalence'])}",
        "Above: smoothed calibration curves. On the dotted line the observed share of pneumonia equals the predicted "
        "risk; below it risks are too high, above it too low. Shaded: pointwise 95% intervals for other patients; the "
        "curve is left out where there are hardly any images. Below: distribution of the risks in each class.",
        _calibration_words(use),
    )


def _panels(regimes: dict[str, RegimeInUse], rows: int, height: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(0.6 + 2.35 * max(2, len(regimes)), height))
    return figure, figure.subplots(rows, len(regimes), sharex=True, sharey="row", squeeze=False)


def _calibration(axes: Axes, regime: RegimeInUse, colour: str) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    if "calibration_curve" in regime:
        curve = regime["calibration_curve"]
        low, high = np.array([point["ci95"] for point in curve["observed"]]).T
        axes.fill_between(curve["predicted"], low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(curve["predicted"], [point["value"] for point in curve["observed"]], color=colour)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))


def _distribution(axes: Axes, found: RiskHistogram, colour: str) -> None:
    bars: dict[str, Any] = {"edges": found["edges"], "baseline": 0}
    axes.stairs(found["pneumonia"], fill=True, color=colour, alpha=0.6, **bars)
    axes.stairs(found["normal"], color=INK, linewidth=1.2, **bars)


def _net_benefit_words(use: ClinicalUse) -> str:
    cuts = use["threshold_probabilities"]
    near = use["threshold_probability"] or use["prevalence"]
    place = min(range(len(cuts)), key=lambda number: abs(cuts[number] - near))
    words = [
        f"{REGIME_TITLES[name]} {formats.signed(regime['decision_curve'][place]['value'])} "
        f"({formats.signed_span(regime['decision_curve'][place]['ci95'])})"
        for name, regime in in_use(use).items()
    ]
    everybody = f"treating everybody {formats.signed(use['treat_all_curve'][place])}"
    return f"Net benefit at a threshold probability of {percentage(cuts[place])}: {sentence([*words, everybody])}"


def _calibration_words(use: ClinicalUse) -> str:
    words = []
    for name, regime in in_use(use).items():
        if "calibration_curve" in regime:
            curve = regime["calibration_curve"]
            middle = len(curve["predicted"]) // 2
            words.append(
                f"{REGIME_TITLES[name]}: predicted {percentage(curve['predicted'][middle])}, "
                f"observed {percentage(curve['observed'][middle]['value'])}"
            )
        else:
            words.append(f"{REGIME_TITLES[name]}: too few different risks for a curve")
    return f"Calibration in the middle of the curve: {sentence(words)}"


def _wrapped(name: str) -> str:
    """A regime's title for a narrow panel."""
    return REGIME_TITLES[name].replace(" (", "\n(") if name == FLOOR else REGIME_TITLES[name]
