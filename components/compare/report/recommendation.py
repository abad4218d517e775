"""Puts the decision into sentences that claim no more than the intervals support."""

from components.artifacts.comparison import Decision, Difference, Findings, Results
from components.artifacts.names import REGIME_TITLES
from components.artifacts.regime_result import RegimeResult
from components.compare import recommendation
from components.compare.recommendation import Loss
from components.compare.report import formats
from components.compare.report.titles import listed

NO_DIFFERENCE = "No difference shown"
"""Of two regimes of which the test patients do not show which is better; it does not mean that they are equal."""

CAUTION = "Caution:"
"""Begins the sentence about data or weights that limit what the results mean."""


def verdict_text(pair: Difference, names: tuple[str, str] | None = None) -> str:
    """The conclusion from a difference in words: `NO_DIFFERENCE`, or which is higher and whether that is certain.

    Args:
        pair: one of the "comparisons" of `results.json`.
        names: of the two; the titles of their regimes unless given.
    """
    found = recommendation.verdict(pair)
    if found.higher is None:
        return NO_DIFFERENCE
    first, second = names or (REGIME_TITLES[pair["a"]], REGIME_TITLES[pair["b"]])
    higher = f"{first if found.higher == 'a' else second} higher"
    return higher if found.certain else f"{higher}, but not once corrected for the number of pairs"


def sentences(findings: Findings, decision: Decision) -> list[str]:
    """The recommendation in a few sentences: which regime, how the others compare, what limits the results."""
    return [
        _answer(findings, decision),
        *_others(findings, decision["best"]),
        *_baseline(findings),
        *_caution(findings),
    ]


def of_results(results: Results) -> list[str]:
    """The sentences of finished results."""
    return sentences(results, results["recommendation"])


def _answer(findings: Findings, decision: Decision) -> str:
    regimes, margin = findings["regimes"], decision["margin"]
    best, fastest = decision["best"], decision["fastest_within_margin"]
    if len(regimes) == 1:
        return (
            f"Only one regime was trained, so there is nothing to compare: {REGIME_TITLES[best]} reached a ROC AUC of "
            f"{_auc(regimes[best])} in {_time(regimes[best])} of training."
        )
    if fastest != best:
        return (
            f"{REGIME_TITLES[fastest]} is worth its cost: ROC AUC {_value(regimes[fastest])} after "
            f"{_time(regimes[fastest])} of training, with 95% confidence at most {margin:g} below the highest "
            f"({REGIME_TITLES[best]}, {_value(regimes[best])} after {_time(regimes[best])})."
        )
    top = f"{REGIME_TITLES[best]} had the highest ROC AUC, {_auc(regimes[best])}"
    if best == recommendation.fastest(regimes):
        return f"{top}, and was the fastest to train ({_time(regimes[best])})."
    return (
        f"{top}, after {_time(regimes[best])} of training; no faster regime was shown to come within {margin:g} of it."
    )


def _others(findings: Findings, best: str) -> list[str]:
    """How the other regimes compare with the best one, grouped by the conclusion."""
    found = recommendation.standing(findings, best)
    lines = []
    if found.lower:
        lines.append(f"{REGIME_TITLES[best]} had a higher ROC AUC than {_losses(found.lower)}.")
    if found.perhaps:
        lines.append(
            f"{REGIME_TITLES[best]} may have a higher ROC AUC than {_losses(found.perhaps)}, but that is not certain "
            "once corrected for the number of pairs."
        )
    if found.unclear:
        lines.append(
            f"No difference shown between {REGIME_TITLES[best]} and {_losses(found.unclear)}, which does not prove "
            "them equal."
        )
    return [" ".join(lines)] if lines else []


def _losses(losses: dict[str, Loss]) -> str:
    return listed(
        [
            f"{REGIME_TITLES[name]} ({formats.signed(gap.difference)}, 95% interval {formats.signed_span(gap.ci95)})"
            for name, gap in losses.items()
        ]
    )


def _baseline(findings: Findings) -> list[str]:
    """Which regimes have a higher ROC AUC than the baseline."""
    if "floor" not in findings:
        return []
    baseline = f"the baseline, a logistic regression on thumbnails with {_auc(findings['floor'])}"
    others = recommendation.not_above_baseline(findings, findings["floor"])
    if not others:
        return [f"Every regime had a higher ROC AUC than {baseline}."]
    return [f"Not shown to have a higher ROC AUC than {baseline}: {listed([REGIME_TITLES[name] for name in others])}."]


def _caution(findings: Findings) -> list[str]:
    warnings = []
    if findings["dataset"]["source"]["name"] == "synthetic":
        warnings.append("the images are simulated, so these results have no clinical meaning")
    if findings["backbone"]["weights"] == "none":
        warnings.append(
            "the backbone started from random weights, so pre-training was not part of this comparison and the "
            "results of the regimes built on it say nothing about pre-training"
        )
    if findings["backbone"]["weights"] == "bundled":
        warnings.append(
            "the backbone started from the bundled weights, pre-trained on drawn fractals, so the results say little "
            "about pre-training on ImageNet"
        )
    return [f"{CAUTION} {'; '.join(warnings)}."] if warnings else []


def picks(results: Results) -> list[tuple[str, str]]:
    """The rules and the regimes they select, for example ("Fastest within 0.01 of it", "Transfer learning")."""
    if len(results["regimes"]) == 1:
        return []
    found = results["recommendation"]
    rules = {
        "Highest ROC AUC": found["best"],
        f"Fastest within {found['margin']:g} of it": found["fastest_within_margin"],
        f"Smallest within {found['margin']:g} of it": found["smallest_within_margin"],
    }
    return [(rule, REGIME_TITLES[regime]) for rule, regime in rules.items()]


def _value(regime: RegimeResult) -> str:
    return formats.decimal(regime["metrics"]["roc_auc"]["value"])


def _auc(regime: RegimeResult) -> str:
    return f"{_value(regime)} (95% interval {formats.span(regime['metrics']['roc_auc']['ci95'])})"


def _time(regime: RegimeResult) -> str:
    return formats.duration(regime["cost"]["train_seconds"])
