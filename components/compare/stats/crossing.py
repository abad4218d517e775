"""Which of two regimes is ahead with how many labelled patients, and where they change places.

All differences of two regimes with the same budget, at every budget, are tested together. Their intervals cut off the
same share of the samples of the means at each end, so small a share that all of them together contain 95% of the
samples (Beran 1988, doi:10.1080/01621459.1988.10478648). So with 95% confidence no regime is wrongly called ahead with
any budget. Intervals with one critical value for all (max-t) would all be as wide as the worst known of them requires.

The differences with all patients are those of the comparison itself (`comparisons`), corrected for the number of pairs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from components.artifacts.label_budget_results import BudgetDifference, Crossing
from components.compare.stats import comparisons, uncertainty
from components.compare.stats.budgets import Means
from components.compare.stats.uncertainty import CONFIDENCE, Estimate, UncertainValue

SAME = 1e-9
"""Ends of an interval that are closer differ by rounding."""

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


def differences(found: Means, made: np.ndarray, estimate: Estimate) -> dict[tuple[str, str], list[BudgetDifference]]:
    """Every difference of two regimes with the same number of patients.

    Args:
        found: the means.
        made: float64 (B, J), samples of the means; more than for curves, since outer quantiles are needed.
        estimate: of the single trainings.

    Returns:
        {(a, b): differences by ascending number of patients}, in the order of the regimes.
    """
    together: dict[tuple[str, str], list[BudgetDifference]] = {}
    for pair, gap in [*_with_budgets(found, made), *_with_all(found, estimate)]:
        together.setdefault(pair, []).append(gap)
    return {pair: sorted(own, key=lambda gap: gap["patients"]) for pair, own in together.items()}


def _with_budgets(found: Means, made: np.ndarray) -> Iterator[tuple[tuple[str, str], BudgetDifference]]:
    drawn = [place for place, own in enumerate(found.conditions) if not own.whole]
    pairs = [(j, k) for j, k in combinations(drawn, 2) if found.conditions[j].patients == found.conditions[k].patients]
    if not pairs:
        return
    first, second = np.array(pairs).T
    intervals = _together(made[:, first] - made[:, second])
    # Where nothing varies, other patients may differ all the same.
    unseen = uncertainty.unseen(UncertainValue(0.0, 0.0, found.freedom))
    for (j, k), own in zip(pairs, intervals.tolist(), strict=True):
        a, b, difference = found.conditions[j], found.conditions[k], float(found.values[j] - found.values[k])
        same = own[1] - own[0] < SAME
        low, high = (max(-1.0, difference - unseen), min(1.0, difference + unseen)) if same else own
        gap: BudgetDifference = {
            "patients": a.patients,
            "difference": difference,
            "ci95": [low, high],
            "ahead": a.regime if low > 0 else b.regime if high < 0 else None,
        }
        yield (a.regime, b.regime), gap


def _with_all(found: Means, estimate: Estimate) -> Iterator[tuple[tuple[str, str], BudgetDifference]]:
    whole = {own.regime: own for own in found.conditions if own.whole}
    rows = {name: own.rows for name, own in whole.items()}
    for pair in comparisons.compare_all(list(combinations(whole, 2)), {"roc_auc": estimate}, rows, ["roc_auc"]):
        a, b, (low, high) = pair["a"], pair["b"], pair["ci95"]
        certain = pair["p_value_holm"] <= 1 - CONFIDENCE
        gap: BudgetDifference = {
            "patients": whole[a].patients,
            "difference": pair["difference"],
            "ci95": pair["ci95"],
            "ahead": a if certain and low > 0 else b if certain and high < 0 else None,
        }
        yield (a, b), gap


def _together(samples: np.ndarray) -> np.ndarray:
    """The ends (P, 2) of intervals that together contain 95% of the rows of samples (B, P)."""
    ranks = rankdata(samples, axis=0)
    outermost = np.minimum(ranks, len(samples) + 1 - ranks).min(axis=1)
    # Of the rows, which are sorted by their outermost rank, 5% may be cut off somewhere.
    cut = int(np.quantile(outermost, 1 - CONFIDENCE)) - 1
    ordered = np.sort(samples, axis=0)
    return np.stack([ordered[cut], ordered[-1 - cut]], axis=1)


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
