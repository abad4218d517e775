"""Which regime is worth its cost, and why, in sentences that claim no more than the intervals allow."""

from typing import Any

from components.artifacts.names import REGIME_TITLES
from components.compare.report import tables

MARGIN = 0.01
"""How much ROC AUC may be given up for a cheaper regime.

One point in a hundred: the chance that a random pneumonia image outranks a random normal one falls by at most one
percentage point. A regime counts as good enough only where the whole 95% interval of its loss stays inside the
margin (non-inferiority), not where a loss merely could not be shown.
"""

SIGNIFICANCE = 0.05
"""A difference whose p-value, corrected for the number of pairs, is above this is not called certain."""

NO_DIFFERENCE = "No difference shown"
"""Said of two regimes of which the test patients do not tell which is better; it does not say that they are equal."""


def recommend(results: dict[str, Any]) -> dict[str, Any]:
    """Names the best regime, the fastest and the smallest of those about as good, and the reasons.

    Args:
        results: `regimes`, `comparisons`, `dataset` and `backbone` of `results.json`.

    Returns:
        "best" (highest ROC AUC; ties: accuracy, then training time), "fastest_within_margin" (training time),
        "smallest_within_margin" (parameters; ties: training time), "margin" and "why".
    """
    regimes = results["regimes"]
    best = min(regimes, key=lambda name: _rank(regimes[name]))
    enough = [name for name in regimes if name == best or loss(results, best, name)["ci95"][1] <= MARGIN]
    found = {
        "best": best,
        "fastest_within_margin": min(enough, key=lambda name: _seconds(regimes[name])),
        "smallest_within_margin": min(enough, key=lambda name: _size(regimes[name])),
        "margin": MARGIN,
    }
    return found | {"why": " ".join(sentences(results | {"recommendation": found}))}


def _rank(regime: dict[str, Any]) -> tuple[float, float, float]:
    metrics = regime["metrics"]
    return -metrics["roc_auc"]["value"], -metrics["accuracy"]["value"], _seconds(regime)


def _seconds(regime: dict[str, Any]) -> float:
    return regime["cost"]["train_seconds"]


def _size(regime: dict[str, Any]) -> tuple[float, float]:
    return regime["cost"]["parameters"], _seconds(regime)


def loss(results: dict[str, Any], best: str, other: str) -> dict[str, Any]:
    """ROC AUC of the best regime minus that of another, whichever way round the pair was compared.

    Returns:
        "difference", "ci95" and "p_value_holm".
    """
    for pair in results["comparisons"]:
        if pair["metric"] == "roc_auc" and {pair["a"], pair["b"]} == {best, other}:
            low, high = pair["ci95"]
            turned = pair["a"] != best
            return {
                "difference": -pair["difference"] if turned else pair["difference"],
                "ci95": [-high, -low] if turned else [low, high],
                "p_value_holm": pair["p_value_holm"],
            }
    raise KeyError(f"{best} and {other} were not compared")


def verdict(pair: dict[str, Any], names: tuple[str, str] | None = None) -> str:
    """What a paired difference lets one say: `No difference shown`, or who is higher and how firmly.

    An exact test may see no difference where the interval just leaves out zero; both must agree to speak of one.

    Args:
        pair: one of the "comparisons" of `results.json`.
        names: of the two; their regimes' titles unless given.
    """
    low, high = pair["ci95"]
    if low <= 0 <= high or pair["p_value"] > SIGNIFICANCE:
        return NO_DIFFERENCE
    first, second = names or (REGIME_TITLES[pair["a"]], REGIME_TITLES[pair["b"]])
    higher = first if low > 0 else second
    if pair["p_value_holm"] > SIGNIFICANCE:
        return f"{higher} higher, but not once corrected for the number of pairs"
    return f"{higher} higher"


def sentences(results: dict[str, Any]) -> list[str]:
    """The recommendation in a few plain sentences: what to use, how the others did, what to beware of.

    Args:
        results: as for `recommend`, with "recommendation".
    """
    return [_answer(results), *_others(results), *_floor(results), *_caveat(results)]


def _answer(results: dict[str, Any]) -> str:
    found, regimes = results["recommendation"], results["regimes"]
    best, fastest = found["best"], found["fastest_within_margin"]
    if len(regimes) == 1:
        return (
            f"Only one regime was trained, so there is nothing to compare: {_title(best)} reached a ROC AUC of "
            f"{_auc(regimes[best])} in {_time(regimes[best])} of training."
        )
    if fastest != best:
        return (
            f"{_title(fastest)} is worth its cost: ROC AUC {_value(regimes[fastest])} after {_time(regimes[fastest])} "
            f"of training, with 95% confidence at most {MARGIN:g} below the highest ({_title(best)}, "
            f"{_value(regimes[best])} after {_time(regimes[best])})."
        )
    top = f"{_title(best)} had the highest ROC AUC, {_auc(regimes[best])}"
    if best == min(regimes, key=lambda name: _seconds(regimes[name])):
        return f"{top}, and was the fastest to train ({_time(regimes[best])})."
    return (
        f"{top}, after {_time(regimes[best])} of training; no faster regime was shown to come within {MARGIN:g} of it."
    )


def _others(results: dict[str, Any]) -> list[str]:
    """How the other regimes stand to the best one, grouped by what may be said of them."""
    best = results["recommendation"]["best"]
    lower, perhaps, unclear = [], [], []
    for name in results["regimes"]:
        if name != best:
            gap = loss(results, best, name)
            low, high = gap["ci95"]
            group = unclear if low <= 0 <= high else lower if gap["p_value_holm"] <= SIGNIFICANCE else perhaps
            numbers = f"{tables.signed(gap['difference'])}, 95% interval {tables.signed_span(gap['ci95'])}"
            group.append(f"{_title(name)} ({numbers})")
    lines = []
    if lower:
        lines.append(f"{_title(best)} had a higher ROC AUC than {_listed(lower)}.")
    if perhaps:
        lines.append(
            f"{_title(best)} may have a higher ROC AUC than {_listed(perhaps)}, but that is not certain once corrected "
            "for the number of pairs."
        )
    if unclear:
        lines.append(
            f"No difference shown between {_title(best)} and {_listed(unclear)}, which does not prove them equal."
        )
    return [" ".join(lines)] if lines else []


def _floor(results: dict[str, Any]) -> list[str]:
    """Which regimes add something to the floor."""
    if "floor" not in results:
        return []
    floor = f"the floor, a logistic regression on thumbnails with {_auc(results['floor'])}"
    better = [
        _title(pair["a"])
        for pair in results["floor"]["comparisons"]
        if pair["metric"] == "roc_auc" and verdict(pair) == f"{_title(pair['a'])} higher"
    ]
    others = [_title(name) for name in results["regimes"] if _title(name) not in better]
    if not others:
        return [f"Every regime had a higher ROC AUC than {floor}."]
    return [f"Not shown to have a higher ROC AUC than {floor}: {_listed(others)}."]


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _caveat(results: dict[str, Any]) -> list[str]:
    warnings = []
    if results["dataset"]["source"]["name"] == "synthetic":
        warnings.append("the images are simulated, so these figures mean nothing clinical")
    if results["backbone"]["weights"] == "none":
        warnings.append(
            "the backbone started from random weights, so pre-training was not part of this comparison and the "
            "results of the regimes built on it say nothing about pre-training"
        )
    if results["backbone"]["weights"] == "bundled":
        warnings.append(
            "the backbone started from the bundled weights, pre-trained on drawn fractals, so this says little about "
            "pre-training on ImageNet"
        )
    return [f"Beware: {'; '.join(warnings)}."] if warnings else []


def _title(regime: str) -> str:
    return REGIME_TITLES[regime]


def picks(results: dict[str, Any]) -> list[tuple[str, str]]:
    """What was picked, and by which rule, for example ("Fastest within 0.01 of it", "Transfer learning")."""
    found = results["recommendation"]
    rules = {
        "Highest ROC AUC": found["best"],
        f"Fastest within {MARGIN:g} of it": found["fastest_within_margin"],
        f"Smallest within {MARGIN:g} of it": found["smallest_within_margin"],
    }
    return [(rule, _title(regime)) for rule, regime in rules.items()] if len(results["regimes"]) > 1 else []


def _value(regime: dict[str, Any]) -> str:
    return tables.decimal(regime["metrics"]["roc_auc"]["value"])


def _auc(regime: dict[str, Any]) -> str:
    return f"{_value(regime)} (95% interval {tables.span(regime['metrics']['roc_auc']['ci95'])})"


def _time(regime: dict[str, Any]) -> str:
    return tables.duration(_seconds(regime))
