"""Decides which regime is worth its cost; `report.recommendation` puts the decision into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from components.artifacts.comparison import BaselineResult, Decision, Findings, with_baseline
from components.artifacts.differences import Difference
from components.artifacts.regime_result import RegimeResult

SIGNIFICANCE = 0.05
"""Level of the tests, before and after the correction for the number of pairs."""


@dataclass(frozen=True)
class Verdict:
    """The conclusion from a difference.

    Attributes:
        higher: which of the two, "a" or "b", is higher; None where no difference was shown, which does not prove that
            they are equal.
        certain: whether the difference remains significant once corrected for the number of pairs.
    """

    higher: Literal["a", "b"] | None
    certain: bool


@dataclass(frozen=True)
class Loss:
    """ROC AUC of the best regime minus that of another one.

    Attributes:
        difference: the loss.
        ci95: lower and upper end of its 95% interval.
        p_value_holm: of "no difference", corrected for the number of pairs.
        shown: whether both the interval and the test, not yet corrected, show that it is above 0.
    """

    difference: float
    ci95: list[float]
    p_value_holm: float
    shown: bool


@dataclass(frozen=True)
class Standing:
    """The other regimes, grouped by how they compare with the best one; each group is {regime: loss}.

    Attributes:
        lower: their ROC AUC is lower.
        perhaps: it is lower, but not once corrected for the number of pairs.
        unclear: no difference was shown.
    """

    lower: dict[str, Loss] = field(default_factory=dict)
    perhaps: dict[str, Loss] = field(default_factory=dict)
    unclear: dict[str, Loss] = field(default_factory=dict)


@dataclass(frozen=True)
class Power:
    """What the test images could have shown of the regimes that are faster than the best one.

    Attributes:
        lowest, highest: probability that a faster regime would be shown to be within the margin if it were equal.
        fewest, most: test patients for which that probability is 80%; None where more patients would not be enough.
    """

    lowest: float
    highest: float
    fewest: int | None
    most: int | None


def decide(findings: Findings) -> Decision:
    """Chooses the best regime, and the fastest and the smallest of those that are shown to be good enough.

    The best has the highest ROC AUC (ties: accuracy, then training time). Good enough are the regimes, and the
    baseline, that are shown to be less than the margin below every other one (`stats.noninferiority`). Of these the
    fastest has the shortest training time, the smallest the fewest parameters (ties: training time).
    """
    regimes, everyone = findings["regimes"], with_baseline(findings)
    enough = findings["noninferiority"]["shown"]
    return {
        "best": min(regimes, key=lambda name: _rank(regimes[name])),
        "fastest_within_margin": min(enough, key=lambda name: _seconds(everyone[name]), default=None),
        "smallest_within_margin": min(enough, key=lambda name: _size(everyone[name]), default=None),
        "margin": findings["noninferiority"]["margin"],
    }


def power(findings: Findings, best: str) -> Power | None:
    """What could have been shown of the faster candidates that were not shown to be good enough; None without any."""
    everyone, tested = with_baseline(findings), findings["noninferiority"]
    pairs = [
        pair
        for pair in tested["pairs"]
        if pair["other"] == best
        and not pair["shown"]
        and _seconds(everyone[pair["candidate"]]) < _seconds(everyone[best])
    ]
    if not pairs:
        return None
    powers, needed = [pair["power"] for pair in pairs], [pair["patients_needed"] for pair in pairs]
    known = [number for number in needed if number is not None]
    return Power(min(powers), max(powers), min(known, default=None), max(known) if len(known) == len(needed) else None)


def several_seeds(findings: Findings) -> bool:
    """Whether every regime was trained with several seeds, so that the results are about regimes and not networks."""
    return all("per_seed" in regime for regime in findings["regimes"].values())


def not_shown_slower(findings: Findings, name: str) -> list[str]:
    """The other regimes that are good enough, were timed several times, and were not shown to take longer to train."""
    doubtful = {
        pair["b"] if pair["a"] == name else pair["a"]
        for pair in findings["training_times"]
        if name in (pair["a"], pair["b"])
        and pair["ci95"]
        and not (pair["shown"] and (pair["ratio"] < 1) == (pair["a"] == name))
    }
    return [other for other in findings["noninferiority"]["shown"] if other in doubtful]


def _rank(regime: RegimeResult) -> tuple[float, float, float]:
    metrics = regime["metrics"]
    return -metrics["roc_auc"]["value"], -metrics["accuracy"]["value"], _seconds(regime)


def _seconds(regime: RegimeResult) -> float:
    return regime["cost"]["train_seconds"]


def _size(regime: RegimeResult) -> tuple[float, float]:
    return regime["cost"]["parameters"], _seconds(regime)


def fastest(regimes: Mapping[str, RegimeResult]) -> str:
    """The regime with the shortest training time, whatever its quality."""
    return min(regimes, key=lambda name: _seconds(regimes[name]))


def loss(findings: Findings, best: str, other: str) -> Loss:
    """ROC AUC of the best regime minus that of another, in whichever order the pair was compared.

    Raises:
        KeyError: the two were not compared.
    """
    for pair in findings["comparisons"]:
        if pair["metric"] == "roc_auc" and {pair["a"], pair["b"]} == {best, other}:
            (low, high), first = pair["ci95"], pair["a"] == best
            shown = verdict(pair).higher == ("a" if first else "b")
            if first:
                return Loss(pair["difference"], [low, high], pair["p_value_holm"], shown)
            return Loss(-pair["difference"], [-high, -low], pair["p_value_holm"], shown)
    raise KeyError(f"{best} and {other} were not compared")


def verdict(pair: Difference) -> Verdict:
    """Whether a difference was shown, and with which sign.

    An exact test may show no difference where the interval just excludes zero; both must agree to show one.
    """
    low, high = pair["ci95"]
    if low <= 0 <= high or pair["p_value"] > SIGNIFICANCE:
        return Verdict(None, certain=False)
    return Verdict("a" if low > 0 else "b", certain=pair["p_value_holm"] <= SIGNIFICANCE)


def standing(findings: Findings, best: str) -> Standing:
    """How the other regimes compare with the best one, by the same verdicts as in the tables."""
    found = Standing()
    for name in findings["regimes"]:
        if name != best:
            gap = loss(findings, best, name)
            group = found.perhaps if gap.shown else found.unclear
            (found.lower if gap.shown and gap.p_value_holm <= SIGNIFICANCE else group)[name] = gap
    return found


def not_above_baseline(findings: Findings, baseline: BaselineResult) -> list[str]:
    """The regimes that were not shown to have a higher ROC AUC than the baseline."""
    above = Verdict("a", certain=True)
    better = {pair["a"] for pair in baseline["comparisons"] if pair["metric"] == "roc_auc" and verdict(pair) == above}
    return [name for name in findings["regimes"] if name not in better]
