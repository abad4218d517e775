"""Everything that `results.json` says about numbers of labelled patients, on one test set."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from components.artifacts.label_budget_results import (
    BudgetPair,
    BudgetPoint,
    Doubling,
    LearningCurve,
    OnTestSet,
    RegimeOnBudgets,
)
from components.artifacts.regime_result import Metric
from components.compare.stats import budgets, crossing, learning_curve, uncertainty
from components.compare.stats.budgets import Means, Trainings
from components.compare.stats.crossing import Gap
from components.compare.stats.learning_curve import Fit
from components.compare.stats.uncertainty import Estimate

POINTS_OF_CURVE = 60


def on_test_set(
    trainings: Trainings, samples: int = budgets.SAMPLES, curve_samples: int = budgets.CURVE_SAMPLES
) -> OnTestSet:
    """The results on one test set.

    Args:
        trainings: of all regimes, budgets and draws, and those with all patients.
        samples: of the means.
        curve_samples: of them, to which curves are fitted.
    """
    areas, accuracies = budgets.areas(trainings), budgets.accuracies(trainings)
    found = budgets.means(trainings, areas)
    moved = budgets.deviations(found, samples)
    made = budgets.shifted(found.values, moved)
    names = list(dict.fromkeys(own.regime for own in found.conditions))
    places = {name: _places(found, name) for name in names}
    differences = crossing.differences(found, made, areas)
    moved, made = moved[:curve_samples], made[:curve_samples]
    fits = {name: _fit(found, places[name], made, moved) for name in names}
    regimes = {name: _regime(found, places[name], fits[name], areas, accuracies) for name in names}
    pairs: list[BudgetPair] = []
    for a, b in combinations(names, 2):
        own = differences.get((a, b), [])
        gaps = _gaps(found, made, [places[a], places[b]], [fits[a], fits[b]])
        crossed = crossing.crossing(a, own, gaps)
        pairs.append({"a": a, "b": b, "differences": own, "crossing": crossed})
    return {"regimes": regimes, "pairs": pairs}


def _places(found: Means, regime: str) -> list[int]:
    """Positions of the conditions of a regime, by ascending number of patients."""
    own = [place for place, condition in enumerate(found.conditions) if condition.regime == regime]
    return sorted(own, key=lambda place: found.conditions[place].patients)


def _patients(found: Means, places: Sequence[int]) -> np.ndarray:
    return np.array([found.conditions[place].patients for place in places], float)


def _fit(found: Means, places: list[int], made: np.ndarray, moved: np.ndarray) -> Fit:
    return learning_curve.fit(
        _patients(found, places), found.values[places], found.variances[places], made[:, places], moved[:, places]
    )


def _regime(found: Means, places: list[int], fit: Fit, areas: Estimate, accuracies: Estimate) -> RegimeOnBudgets:
    points: list[BudgetPoint] = []
    for place in places:
        own = found.conditions[place]
        points.append(
            {
                "patients": own.patients,
                "all": own.whole,
                "trainings": len(own.rows),
                "roc_auc": _metric(areas, own.rows),
                "accuracy": _metric(accuracies, own.rows),
            }
        )
    curve = _curve(fit, points[0]["patients"], points[-1]["patients"]) if not fit.why_not else None
    doubling = _doubling(fit, points[-1]["patients"]) if curve and points[-1]["all"] else None
    return {"points": points, "curve": curve, "why_no_curve": fit.why_not or None, "doubling": doubling}


def _metric(estimate: Estimate, rows: Sequence[int]) -> Metric:
    mean = estimate.mean(rows)
    return {"value": mean.value, "ci95": uncertainty.interval(mean)}


def _curve(fit: Fit, fewest: float, most: float) -> LearningCurve | None:
    if fit.best is None or fit.samples is None or fit.p_value is None:
        return None
    grid = np.geomspace(fewest, most, POINTS_OF_CURVE)
    values, ends = fit.best.at(grid)[0], _ends(fit.samples.at(grid))
    return {
        "a": float(fit.best.a[0]),
        "b": float(fit.best.b[0] * fit.best.unit ** fit.best.c[0]),
        "c": float(fit.best.c[0]),
        "p_value": fit.p_value,
        "points": [
            {"patients": float(patients), "value": float(value), "ci95": own.tolist()}
            for patients, value, own in zip(grid, values, ends, strict=True)
        ],
    }


def _doubling(fit: Fit, patients: int) -> Doubling | None:
    if fit.best is None or fit.samples is None:
        return None
    at = np.array([patients, 2.0 * patients])
    (now, then), samples = fit.best.at(at)[0], fit.samples.at(at)
    gained = samples[:, 1] - samples[:, 0]
    return {
        "patients": 2 * patients,
        "roc_auc": {"value": float(then), "ci95": _ends(samples[:, 1:])[0].tolist()},
        "gain": {"value": float(then - now), "ci95": _ends(gained[:, None])[0].tolist()},
    }


def _ends(samples: np.ndarray) -> np.ndarray:
    """The ends (G, 2) of the 95% intervals of samples (B, G)."""
    doubt = (1 - uncertainty.CONFIDENCE) / 2
    return np.quantile(samples, [doubt, 1 - doubt], axis=0).T


def _gaps(found: Means, made: np.ndarray, places: list[list[int]], fits: list[Fit]) -> list[Gap]:
    """The differences of two regimes between their numbers of patients: that of the curves first, if both have one."""
    gaps = []
    best, samples = [fit.best for fit in fits], [fit.samples for fit in fits]
    if best[0] and best[1] and samples[0] and samples[1]:
        gaps.append(Gap(_difference(best[0].at, best[1].at), _difference(samples[0].at, samples[1].at), True))
    lines = [
        [crossing.between(_patients(found, own), values[:, own]) for own in places]
        for values in (found.values[None], made)
    ]
    return [*gaps, Gap(_difference(*lines[0]), _difference(*lines[1]), False)]


def _difference(a: crossing.Function, b: crossing.Function) -> crossing.Function:
    return lambda patients: a(patients) - b(patients)
