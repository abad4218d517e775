"""Which of two regimes is ahead with how many labelled patients, and where they change places.

All differences of two regimes, at every number of patients that both were trained with, are tested together: their
intervals have one critical value, the 95% quantile of the largest of all standardised differences (max-t: Hothorn,
Bretz and Westfall 2008, doi:10.1002/bimj.200810425). So with 95% confidence no regime is wrongly called ahead anywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from components.artifacts.label_budget_results import BudgetDifference, Crossing
from components.compare.stats import uncertainty
from components.compare.stats.budgets import Means
from components.compare.stats.uncertainty import CONFIDENCE, NO_VARIANCE, UncertainValue

GRID = 400
"""Numbers of patients between the smallest and the largest at which two regimes are compared."""

Function = Callable[[np.ndarray], np.ndarray]
"""Takes numbers of patients (G,); returns values at them, (B, G)."""


@dataclass(frozen=True)
class Gap:
    """The difference of two regimes, the first minus the second, as a function of the number of patients.

    Attributes:
        best: of the means, or of the curves fitted to them.
        samples: of the samples of the means.
        from_curves: whether it is that of fitted curves.
    """

    best: Function
    samples: Function
    from_curves: bool


def differences(found: Means, moved: np.ndarray) -> dict[tuple[str, str], list[BudgetDifference]]:
    """Every difference of two regimes with the same number of patients.

    Args:
        found: the means.
        moved: float64 (B, J), deviations of the means from what they estimate.

    Returns:
        {(a, b): differences by ascending number of patients}, in the order of the regimes.
    """
    pairs = [
        (j, k)
        for j, k in combinations(range(len(found.conditions)), 2)
        if found.conditions[j].patients == found.conditions[k].patients
    ]
    if not pairs:
        return {}
    contrasts = np.zeros((len(pairs), len(found.values)))
    for row, (first, second) in enumerate(pairs):
        contrasts[row, [first, second]] = 1, -1
    reach = _reach(contrasts, found, moved)
    together: dict[tuple[str, str], list[BudgetDifference]] = {}
    for (first, second), difference, own in zip(pairs, contrasts @ found.values, reach, strict=True):
        a, b = found.conditions[first], found.conditions[second]
        ends = [max(-1.0, float(difference - own)), min(1.0, float(difference + own))]
        ahead = a.regime if ends[0] > 0 else b.regime if ends[1] < 0 else None
        gap: BudgetDifference = {
            "patients": a.patients,
            "difference": float(difference),
            "ci95": ends,
            "ahead": ahead,
        }
        together.setdefault((a.regime, b.regime), []).append(gap)
    return {pair: sorted(own, key=lambda gap: gap["patients"]) for pair, own in together.items()}


def _reach(contrasts: np.ndarray, found: Means, moved: np.ndarray) -> np.ndarray:
    """Half widths (P,) of simultaneous intervals of the contrasts (P, J)."""
    variances = np.einsum("ij,jk,ik->i", contrasts, found.covariance, contrasts)
    varies = variances > NO_VARIANCE
    # Where nothing varies, other patients may differ all the same.
    reach = np.full(len(contrasts), uncertainty.unseen(UncertainValue(0.0, 0.0, found.freedom)))
    if varies.any():
        errors = np.sqrt(variances[varies])
        largest = np.abs(moved @ contrasts[varies].T / errors).max(axis=1)
        reach[varies] = np.quantile(largest, CONFIDENCE) * errors
    return reach


def crossing(a: str, own: Sequence[BudgetDifference], gaps: Sequence[Gap]) -> Crossing | None:
    """Where two regimes are shown to change places; None if they are not, or more than once.

    The interval has the numbers of patients at which a test at the 5% level would not tell which one is ahead (Fieller
    1954): it ends where 97.5% of the samples have the first one ahead, and where 97.5% have the second one.

    Args:
        a: the first of the pair.
        own: differences of the pair, by ascending number of patients.
        gaps: the difference between these numbers; the first one that changes its sign is taken.
    """
    ahead = [(gap["ahead"], gap["patients"]) for gap in own if gap["ahead"]]
    sides = [side for side, _ in ahead if side]
    if len(set(sides)) < 2 or sides != sorted(sides, key=lambda side: side != sides[0]):
        return None
    up_to = max(patients for side, patients in ahead if side == sides[0])
    starting_at = min(patients for side, patients in ahead if side == sides[-1])
    grid = np.geomspace(own[0]["patients"], own[-1]["patients"], GRID)
    sign = 1 if sides[0] == a else -1
    for gap in gaps:
        where = np.geomspace(up_to, starting_at, GRID)
        if (patients := _root(where, sign * gap.best(where)[0])) is not None:
            behind = (sign * gap.samples(grid) < 0).mean(axis=0)
            return {
                "first": sides[0],
                "second": sides[-1],
                "up_to": up_to,
                "starting_at": starting_at,
                "patients": patients,
                "ci95": _ends(grid, behind, patients),
                "from_curves": gap.from_curves,
            }
    return None


def _root(grid: np.ndarray, difference: np.ndarray) -> float | None:
    """Where a difference that begins above zero ends below it; of several places the middle of the first and last."""
    if difference[0] < 0 or difference[-1] > 0:
        return None
    left = np.flatnonzero((difference[:-1] >= 0) != (difference[1:] >= 0))
    if not len(left):
        return None
    share = difference[left] / (difference[left] - difference[left + 1])
    places = (1 - share) * np.log(grid[left]) + share * np.log(grid[left + 1])
    return float(np.exp((places[0] + places[-1]) / 2))


def _ends(grid: np.ndarray, behind: np.ndarray, patients: float) -> list[float | None]:
    doubt = (1 - CONFIDENCE) / 2
    before = grid[(grid <= patients) & (behind <= doubt)]
    after = grid[(grid >= patients) & (behind >= 1 - doubt)]
    return [float(before[-1]) if len(before) else None, float(after[0]) if len(after) else None]


def between(patients: np.ndarray, values: np.ndarray) -> Function:
    """Straight lines between values, on a logarithmic axis.

    Args:
        patients: (J,), ascending, at least two.
        values: float64 (B, J).
    """

    def at(wanted: np.ndarray) -> np.ndarray:
        right = np.clip(np.searchsorted(patients, wanted), 1, len(patients) - 1)
        left = right - 1
        share = np.log(wanted / patients[left]) / np.log(patients[right] / patients[left])
        return values[:, left] * (1 - share) + values[:, right] * share

    return at
