"""Which candidates are shown to be about as good as every other one, and with which power that could be shown."""

import math
from collections.abc import Mapping, Sequence

from scipy.stats import norm

from components import planning
from components.artifacts.differences import NonInferiority, NonInferiorityPair
from components.compare.stats import uncertainty
from components.compare.stats.uncertainty import Estimate

MARGIN = 0.01
"""How much ROC AUC may be lost with a cheaper regime.

One point in a hundred: the probability that a random pneumonia image scores higher than a random normal one decreases
by at most one percentage point.
"""

ERROR_RATE = 0.05
"""Largest probability that any candidate is recommended that is in truth worse than another one by the margin or
more."""

POWER = 0.8
"""For which the number of patients is given."""


def against_all(roc_auc: Estimate, rows: Mapping[str, Sequence[int]], patients: int) -> NonInferiority:
    """Tests every candidate against every other one for non-inferiority in ROC AUC.

    A candidate counts as good enough if it is shown to be less than `MARGIN` below each of the others, not just below
    the one that happened to be best: an intersection-union test (Berger 1982, doi:10.1080/00401706.1982.10487790). At
    most all but one of K candidates can be worse than the best by the margin, and each of those is wrongly shown to be
    good enough with at most the level of its test against the best, so tests at the one-sided level `ERROR_RATE` / (K -
    1) keep the probability of any wrong recommendation below `ERROR_RATE`.

    Args:
        roc_auc: of all models.
        rows: for each candidate, the positions of its models.
        patients: number of test patients.
    """
    level = ERROR_RATE / max(1, len(rows) - 1)
    pairs = [
        _pair(name, other, roc_auc.difference(rows[other], rows[name]), level, patients)
        for name in rows
        for other in rows
        if name != other
    ]
    shown = [name for name in rows if all(pair["shown"] for pair in pairs if pair["candidate"] == name)]
    return {"margin": MARGIN, "level": level, "candidates": list(rows), "shown": shown, "pairs": pairs}


def _pair(
    name: str, other: str, loss: uncertainty.UncertainDifference, level: float, patients: int
) -> NonInferiorityPair:
    bound = uncertainty.difference_interval(loss, confidence=1 - 2 * level)[1]
    error = math.sqrt(loss.variance)
    # The difference without variance has no error that could be scaled: its bound tells all.
    power = planning.power_of_noninferiority(0.0, MARGIN, error, level) if error else float(bound <= MARGIN)
    needed = patients_needed(loss.variance, loss.seed_variance, level) if error else 1.0
    return {
        "candidate": name,
        "other": other,
        "loss": loss.value,
        "upper_bound": bound,
        "shown": bound <= MARGIN,
        "power": power,
        "patients_needed": math.ceil(needed * patients) if math.isfinite(needed) else None,
    }


def patients_needed(variance: float, seed_variance: float, level: float) -> float:
    """Factor by which the test patients must grow to show equality within the margin with the power `POWER`.

    Args:
        variance: of the difference in ROC AUC.
        seed_variance: the part of it that more patients do not reduce.
        level: one-sided error rate of the test.

    Returns:
        The factor; infinite where the variation between seeds alone is too large.
    """
    needed = norm.isf(level) + norm.ppf(POWER)
    allowed = MARGIN**2 - needed**2 * seed_variance
    if allowed <= 0:
        return math.inf
    return planning.factor_for_power(math.sqrt(allowed), math.sqrt(variance - seed_variance), level, POWER)
