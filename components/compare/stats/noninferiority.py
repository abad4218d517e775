"""Which candidates are shown to be about as good as every other one, and with which power that could be shown."""

import math
from collections.abc import Mapping, Sequence

from scipy.stats import norm

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
    error, reach = math.sqrt(loss.variance), bound - loss.value
    if error:
        # If both were equal, the observed loss would vary around 0 with this error, and its bound lie `reach` above it.
        power = float(norm.cdf((MARGIN - reach) / error))
        factor = patients_factor(loss.variance, loss.seed_variance, reach)
    else:
        power = float(bound <= MARGIN)
        factor = unseen_patients(level) / (loss.degrees_of_freedom + 1)
    return {
        "candidate": name,
        "other": other,
        "loss": loss.value,
        "upper_bound": bound,
        "shown": bound <= MARGIN,
        "power": power,
        "patients_needed": math.ceil(factor * patients) if math.isfinite(factor) else None,
    }


def patients_factor(variance: float, seed_variance: float, reach: float) -> float:
    """Factor by which the test patients must grow to show equality within the margin with the power `POWER`.

    Standard error and reach of the bound are taken to shrink alike: with the square root of the variance.

    Args:
        variance: of the difference in ROC AUC.
        seed_variance: the part of it that more patients do not reduce.
        reach: from the observed loss to its upper bound.

    Returns:
        The factor; infinite where the variation between seeds alone is too large.
    """
    wanted = (MARGIN / (reach + norm.ppf(POWER) * math.sqrt(variance))) ** 2 * variance
    return (variance - seed_variance) / (wanted - seed_variance) if wanted > seed_variance else math.inf


def unseen_patients(level: float) -> float:
    """Patients of the rarer class from which on a mistake that none of them showed is rarer than the margin."""
    return math.log(level) / math.log(1 - MARGIN)
