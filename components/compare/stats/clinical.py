"""Predictive values and net benefit at a given prevalence, from sensitivity and specificity.

Sensitivity and specificity (here recall and specificity) are properties of the two classes, so they can be combined
with any prevalence P by Bayes' theorem, as long as the cases within each class are the same:

    odds of PPV = P / (1 - P) * sensitivity / (1 - specificity)
    odds of NPV = (1 - P) / P * specificity / (1 - sensitivity)
    net benefit = P * sensitivity - (1 - P) * (1 - specificity) * t / (1 - t)

with the threshold probability t (Vickers and Elkin 2006, doi:10.1177/0272989X06295361). Whoever finds a missed
pneumonia W times as bad as a false alarm treats from a risk of t = 1 / (1 + W) on.

Intervals combine those of sensitivity and specificity, which already include clustered images, seeds and values of 0
and 1, by the method of variance estimates recovery (MOVER: Zou and Donner 2008, doi:10.1002/sim.3095), predictive
values on the log scale of the likelihood ratio. For independent binomial rates this is close to the logit interval
of Mercaldo, Lau and Zhou (2007, doi:10.1002/sim.2677), but is defined where no image of a class is misclassified. P is
taken as known.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from components.artifacts.regime_result import Metric
from components.compare.stats.uncertainty import Estimate, UncertainValue, interval

RATES = ("recall", "specificity", "balanced_accuracy")
"""The metrics from which `rates` are estimated."""

SMALLEST = 1e-15
"""The smallest rate of which a logarithm is taken."""


@dataclass(frozen=True)
class Rates:
    """Sensitivity and specificity of a decision, and how they vary together.

    Attributes:
        recall: the sensitivity.
        specificity: likewise.
        correlation: of the two, between samples of patients and between seeds.
    """

    recall: Metric
    specificity: Metric
    correlation: float = 0.0


def rates(estimates: Mapping[str, Estimate], rows: Sequence[int]) -> Rates:
    """The rates of one regime, as means over its models.

    The correlation follows from the variance of the balanced accuracy, which is the mean of the two rates. It differs
    from 0 where patients have images of both classes, where seeds differ, and where the threshold is estimated too.

    Args:
        estimates: of `RATES`.
        rows: positions of the regime's models in the estimates.
    """
    recall, specificity, balanced = (estimates[name].mean(rows) for name in RATES)
    product = np.sqrt(recall.variance * specificity.variance)
    together = 2 * balanced.variance - (recall.variance + specificity.variance) / 2
    correlation = float(np.clip(together / product, -1, 1)) if product else 0.0
    return Rates(_metric(recall), _metric(specificity), correlation)


def _metric(estimated: UncertainValue) -> Metric:
    return {"value": estimated.value, "ci95": interval(estimated)}


def positive_predictive_value(found: Rates, prevalence: float) -> Metric | None:
    """The share of positive decisions that are correct; None if there are none.

    Args:
        found: of a decision.
        prevalence: share of pneumonia, between 0 and 1.
    """
    return _predictive_value(found.recall, _complement(found.specificity), found.correlation, prevalence)


def negative_predictive_value(found: Rates, prevalence: float) -> Metric | None:
    """The share of negative decisions that are correct; None if there are none."""
    return _predictive_value(found.specificity, _complement(found.recall), found.correlation, 1 - prevalence)


def _predictive_value(right: Metric, wrong: Metric, correlation: float, prior: float) -> Metric | None:
    """The share of correct ones among decisions for a class.

    Args:
        right: share of this class that is decided for.
        wrong: share of the other class that is decided for.
        correlation: of right and 1 - wrong.
        prior: share of this class.
    """
    if right["value"] == 0 == wrong["value"]:
        return None
    (low, high), (wrong_low, wrong_high) = right["ci95"], wrong["ci95"]

    def share(right_rate: float, wrong_rate: float) -> float:
        hits, errors = prior * right_rate, (1 - prior) * wrong_rate
        return hits / (hits + errors)

    value = share(right["value"], wrong["value"])
    if not 0 < value < 1:
        # The logarithm of the ratio is infinite, so both rates are taken at their worst (Bonferroni: the other end of
        # the interval cannot miss).
        return {"value": value, "ci95": [share(low, wrong_high), value] if value else [0.0, share(high, wrong_low)]}
    below = _reach(_log_ratio(right["value"], low), _log_ratio(wrong_high, wrong["value"]), correlation)
    above = _reach(_log_ratio(high, right["value"]), _log_ratio(wrong["value"], wrong_low), correlation)
    return {"value": value, "ci95": special.expit(special.logit(value) + np.array([-below, above])).tolist()}


def net_benefit(found: Rates, prevalence: float, threshold_probability: float) -> Metric:
    """The net benefit of a decision per person, in units of one detected pneumonia.

    Args:
        found: of the decision.
        prevalence: share of pneumonia, between 0 and 1.
        threshold_probability: risk from which on treatment is wanted, between 0 and 1.
    """
    hits, cost = prevalence, (1 - prevalence) * odds_of(threshold_probability)
    (low, high), alarms = found.recall["ci95"], _complement(found.specificity)
    value = hits * found.recall["value"] - cost * alarms["value"]
    below = _reach(
        hits * (found.recall["value"] - low), cost * (alarms["ci95"][1] - alarms["value"]), found.correlation
    )
    above = _reach(
        hits * (high - found.recall["value"]), cost * (alarms["value"] - alarms["ci95"][0]), found.correlation
    )
    return {"value": value, "ci95": [value - below, value + above]}


def treat_all(prevalence: float, threshold_probability: float) -> float:
    """The net benefit of calling everybody ill; that of calling nobody ill is 0."""
    return prevalence - (1 - prevalence) * odds_of(threshold_probability)


def moved(metric: Metric, by: float) -> Metric:
    """A metric and its interval with a constant added."""
    return {"value": metric["value"] + by, "ci95": [end + by for end in metric["ci95"]]}


def odds_of(probability: float) -> float:
    """The odds of a probability below 1."""
    return probability / (1 - probability)


def reweighted(probabilities: np.ndarray, fitted_at: float, prevalence: float) -> np.ndarray:
    """Probabilities, float64 (N,), at another prevalence: Bayes' theorem multiplies the odds.

    Elkan 2001 (The foundations of cost-sensitive learning, theorem 2).

    Args:
        probabilities: float64 (N,), calibrated where the share of pneumonia is `fitted_at`.
        fitted_at: between 0 and 1.
        prevalence: for which they are wanted, between 0 and 1.
    """
    factor = odds_of(prevalence) / odds_of(fitted_at)
    return factor * probabilities / (factor * probabilities + 1 - probabilities)


def rates_at(labels: np.ndarray, risks: np.ndarray, cuts: Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    """A measure for `resampling.bootstrap`: the rates of deciding for pneumonia from each of several risks on.

    Args:
        labels: (N,), 0 normal, 1 pneumonia; both occur.
        risks: float64 (N,).
        cuts: T risks.

    Returns:
        A function of weights (B, N) that gives (B, 3 T): recall, specificity and balanced accuracy at the first cut,
        then at the second one, and so on.
    """
    called = (risks[:, None] >= np.asarray(cuts)).astype(np.float64)
    ill = labels == 1

    def measure(weights: np.ndarray) -> np.ndarray:
        recall = weights[:, ill] @ called[ill] / weights[:, ill].sum(axis=1, keepdims=True)
        normal = weights[:, ~ill] @ (1 - called[~ill]) / weights[:, ~ill].sum(axis=1, keepdims=True)
        return np.stack([recall, normal, (recall + normal) / 2], axis=2).reshape(len(weights), -1)

    return measure


def _complement(rate: Metric) -> Metric:
    low, high = rate["ci95"]
    return {"value": 1 - rate["value"], "ci95": [1 - high, 1 - low]}


def _log_ratio(larger: float, smaller: float) -> float:
    # The end of a very wide interval may be rounded to 0.
    return float(np.log(larger / max(smaller, SMALLEST)))


def _reach(first: float, second: float, correlation: float) -> float:
    """How far a MOVER interval reaches from its value.

    The distances to the ends of two intervals are combined, of a term and of a term that is subtracted from it. The
    second one is a rate of errors, whose correlation with the first is the opposite of that of the two rates.
    """
    return float(np.sqrt(max(0.0, first**2 + second**2 + 2 * correlation * first * second)))
