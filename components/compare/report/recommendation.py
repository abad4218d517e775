"""Puts the decision into sentences that claim no more than the intervals support."""

from components.artifacts.comparison import Decision, Findings, Results, with_baseline
from components.artifacts.differences import Difference
from components.artifacts.names import BASELINE, REGIME_TITLES
from components.artifacts.regime_result import Metric, RegimeResult
from components.compare import recommendation
from components.compare.recommendation import Loss
from components.compare.report import failures, formats
from components.compare.report.titles import Namer, listed, namer

NO_DIFFERENCE = "No difference shown"
"""Of two regimes of which the test patients do not show which is better; it does not mean that they are equal."""

CAUTION = "Caution:"
"""Begins the sentence about data or weights that limit what the results mean."""

SHIFT = "Warning:"
"""Begins the sentence about a threshold that does not transfer to the test images."""


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
    name = namer(findings)
    return [
        _answer(findings, decision, name),
        *_shift(findings, name),
        *_power(findings, decision),
        *_one_seed(findings),
        *_others(findings, decision["best"], name),
        *_baseline(findings, name),
        *_caution(findings),
    ]


def of_results(results: Results) -> list[str]:
    """The sentences of finished results."""
    return sentences(results, results["recommendation"])


def _answer(findings: Findings, decision: Decision, name: Namer) -> str:
    regimes, margin = findings["regimes"], decision["margin"]
    best, fastest = decision["best"], decision["fastest_within_margin"]
    if len(findings["noninferiority"]["candidates"]) == 1:
        failed = failures.titles(findings)
        why = f"{listed(failed)} failed" if failed else "Only one regime was trained"
        return (
            f"{why}, so there is nothing to compare: {name(best)} reached a ROC AUC of "
            f"{_auc(regimes[best])} in {_time(regimes[best])} of training."
        )
    top = (
        f"{_begun(findings, best, name)} {_highest(findings, opened=True)} {_auc(regimes[best])}, after "
        f"{_time(regimes[best])} of training"
    )
    if fastest is None:
        return (
            f"{top}, but no {failures.compared(findings)}regime, not even this one, was shown to be at most "
            f"{margin:g} below every other one, so these test images do not decide which is worth its cost."
        )
    if fastest == best:
        if best == recommendation.fastest(with_baseline(findings)):
            return f"{top}, which was the shortest."
        return f"{top}; no faster regime was shown to be at most {margin:g} below every other one."
    found = with_baseline(findings)[fastest]
    alike = recommendation.not_shown_slower(findings, fastest)
    doubt = f" It was not shown to train faster than {listed(list(map(name, alike)))}." if alike else ""
    worth = "is enough" if fastest == BASELINE else "is worth its cost"
    return (
        f"{_begun(findings, fastest, name)} {worth}: ROC AUC {_value(found)} after {_time(found)} of training, shown "
        f"to be at most {margin:g} below every other one. {name(best, True)} {_highest(findings)} "
        f"{_value(regimes[best])}, after {_time(regimes[best])}.{doubt}"
    )


def _begun(findings: Findings, regime: str, name: Namer) -> str:
    """The beginning of the answer: a regime, or the baseline, and before it of which regimes this is the answer."""
    opening = failures.opening(findings, regime)
    return opening + name(regime, not opening.endswith(", "))


def _highest(findings: Findings, opened: bool = False) -> str:
    """The words between the best regime and its ROC AUC; `opened` if the sentence began with `failures.opening`."""
    if "failed" not in findings:
        return f"had the highest ROC AUC{' of the regimes' if 'floor' in findings else ''},"
    if len(findings["regimes"]) == 1:
        return "had a ROC AUC of"
    return f"had the highest ROC AUC{'' if opened else ' of these regimes'},"


def _power(findings: Findings, decision: Decision) -> list[str]:
    """How likely it was that a faster regime could be shown to be good enough at all."""
    best, found = decision["best"], recommendation.power(findings, decision["best"])
    if found is None or decision["fastest_within_margin"] not in (None, best):
        return []
    low, high = f"{found.lowest:.0%}", f"{found.highest:.0%}"
    chance = low if low == high else f"{low} to {high}"
    if found.fewest is None:
        needed = "more patients would not be enough for 80%, only more seeds"
    elif found.most is None:
        needed = f"80% would need {_about(found.fewest)} test patients or more, and for some regimes more seeds"
    else:
        ends = [_about(number) for number in (found.fewest, found.most)]
        needed = f"80% would need about {ends[0] if ends[0] == ends[1] else ' to '.join(ends)} test patients"
    now = formats.count(findings["dataset"]["splits"]["test"]["patients"])
    return [
        f"Had a faster one been equally good, {now} test patients would have shown that against "
        f"{namer(findings)(best)} with {chance} power, and against all "
        f"{failures.compared(findings)}others with less; {needed}."
    ]


def _about(number: int) -> str:
    """A count with two digits, for example `2,500`."""
    return formats.count(int(float(f"{number:.2g}")))


def _shift(findings: Findings, name: Namer) -> list[str]:
    """Whose threshold does not do on the test images what it did on the validation images."""
    moved = {key: regime for key, regime in with_baseline(findings).items() if "shift" in regime}
    found = {key: regime for key, regime in moved.items() if regime["shift"]["shown"]}
    if not found:
        return []
    worse = all(regime["shift"]["youden_change"]["value"] < 0 for regime in found.values())
    what = "the thresholds did not transfer to the test images" if worse else "test and validation images differ"
    parts = [
        f"{SHIFT} {what}. From validation, where the thresholds were chosen and values are optimistic, to test: "
        f"{'; '.join(f'{name(regime)} {_transfer(moved[regime])}' for regime in found)}."
    ]
    if others := [regime for regime in moved if regime not in found]:
        rest = "; ".join(f"{name(regime)} {_transfer(moved[regime])}" for regime in others)
        parts.append(f"Not shown for {rest}, which does not mean that this threshold transfers.")
    parts.append("Accuracy and every other metric at a threshold include this.")
    changes = {name(regime): entry["shift"]["roc_auc_change"] for regime, entry in moved.items()}
    lower = [f"{title} ({formats.signed(gap['value'])})" for title, gap in changes.items() if gap["ci95"][1] < 0]
    if lower:
        parts.append(f"ROC AUC, which needs no threshold, was lower on test too: {listed(lower)}.")
    return [" ".join(parts)]


def _transfer(regime: RegimeResult) -> str:
    before, after = regime["validation"]["metrics"], regime["metrics"]
    return ", ".join(
        f"{title} {_decimals(before[metric])} → {_decimals(after[metric])}"
        for title, metric in (("specificity", "specificity"), ("sensitivity", "recall"))
    )


def _one_seed(findings: Findings) -> list[str]:
    if recommendation.several_seeds(findings):
        return []
    return [
        "Regimes that were trained once are represented by one network each: another seed may give another order, and "
        "nothing follows for the regime. Its training time was measured once, too. With three seeds (`--seeds 3`, the "
        "default) the intervals include the "
        "variation "
        "between trainings, and the conclusions are about regimes."
    ]


def _others(findings: Findings, best: str, name: Namer) -> list[str]:
    """How the other regimes compare with the best one, grouped by the conclusion."""
    found = recommendation.standing(findings, best)
    lines = []
    if found.lower:
        lines.append(f"{name(best, True)} had a higher ROC AUC than {_losses(found.lower, name)}.")
    if found.perhaps:
        lines.append(
            f"{name(best, True)} may have a higher ROC AUC than {_losses(found.perhaps, name)}, but that is not "
            "certain "
            "once corrected for the number of pairs."
        )
    if found.unclear:
        lines.append(
            f"No difference shown between {name(best)} and {_losses(found.unclear, name)}, which does not prove "
            "them equal."
        )
    return [" ".join(lines)] if lines else []


def _losses(losses: dict[str, Loss], name: Namer) -> str:
    return listed(
        [
            f"{name(regime)} ({formats.signed(gap.difference)}, 95% interval {formats.signed_span(gap.ci95)})"
            for regime, gap in losses.items()
        ]
    )


def _baseline(findings: Findings, name: Namer) -> list[str]:
    """Which regimes have a higher ROC AUC than the baseline."""
    if "floor" not in findings:
        return []
    baseline = f"the baseline, a logistic regression on thumbnails with {_auc(findings['floor'])}"
    others = recommendation.not_above_baseline(findings, findings["floor"])
    if not others:
        every = "regime" if recommendation.several_seeds(findings) else "network"
        return [f"Every {failures.compared(findings)}{every} had a higher ROC AUC than {baseline}."]
    return [f"Not shown to have a higher ROC AUC than {baseline}: {listed(list(map(name, others)))}."]


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
    """The rules and the regimes they select, for example ("Fastest within 0.01 of all", "Transfer learning")."""
    if len(results["regimes"]) == 1:
        return []
    found = results["recommendation"]
    name, left = namer(results), "these" if "failed" in results else ""
    rules = {
        f"Highest ROC AUC{f' of {left}' if left else ''}": found["best"],
        f"Fastest within {found['margin']:g} of {left or 'all others'}": found["fastest_within_margin"],
        f"Smallest within {found['margin']:g} of {left or 'all others'}": found["smallest_within_margin"],
    }
    return [(rule, name(regime, True) if regime else "none shown") for rule, regime in rules.items()]


def _decimals(metric: Metric) -> str:
    return formats.decimal(metric["value"])


def _value(regime: RegimeResult) -> str:
    return formats.decimal(regime["metrics"]["roc_auc"]["value"])


def _auc(regime: RegimeResult) -> str:
    return f"{_value(regime)} (95% interval {formats.span(regime['metrics']['roc_auc']['ci95'])})"


def _time(regime: RegimeResult) -> str:
    return formats.duration(regime["cost"]["train_seconds"])
