"""Every two regimes on the same test patients: differences, their intervals, tests, and Holm's correction."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.artifacts.evaluation import METRICS
from components.compare.stats import mcnemar, resampling, uncertainty
from components.compare.stats.evidence import BOUNDS, Scored
from components.compare.stats.uncertainty import Figure

COMPARED_METRICS = ("roc_auc", "accuracy", *(metric for metric in METRICS if metric not in ("roc_auc", "accuracy")))
"""Every metric, those first that the report shows first: one of ranking, one of decisions."""

DELONG = "DeLong over patients"
MCNEMAR = "McNemar, exact"
MCNEMAR_CLUSTERED = "McNemar, exact, over patients"
BOOTSTRAP = "bootstrap over patients"
SEEDS = "t over seeds and patients"


def compare_all(
    pairs: Sequence[tuple[str, str]],
    figures: dict[str, Figure],
    seeds: dict[str, list[int]],
    models: Sequence[Scored],
    labels: np.ndarray,
    patients: np.ndarray,
    metrics: Sequence[str] = COMPARED_METRICS,
) -> list[dict[str, Any]]:
    """Compares each pair in each metric.

    With one seed a regime: ROC AUC by DeLong's test, accuracy by McNemar's exact test, the rest by the standard error
    of the bootstrap. With several: all by the t test that knows both sources of variation (`uncertainty`). Intervals
    are always those of `uncertainty`.

    Args:
        pairs: names of the regimes to compare; Holm's correction is for their number, metric by metric.
        figures: of all models, from `evidence.gather`.
        seeds: positions of each regime's models.
        models: all models.
        labels: (N,), 0 normal, 1 pneumonia.
        patients: (N,), whom each image shows.
        metrics: which to compare.

    Returns:
        A dictionary a metric and pair: "a", "b", "metric", "difference", "ci95", "p_value", "p_value_holm", "test".
    """
    found = []
    for metric in metrics:
        of_metric = []
        for a, b in pairs:
            estimate = figures[metric].difference(seeds[a], seeds[b])
            low, high = BOUNDS.get(metric, (0.0, 1.0))
            p_value, test = uncertainty.p_value(estimate, high - low), BOOTSTRAP
            if len(seeds[a]) > 1 or len(seeds[b]) > 1:
                test = SEEDS
            elif metric == "roc_auc":
                test = DELONG
            elif metric == "accuracy":
                right = [
                    (models[seeds[name][0]].scores >= models[seeds[name][0]].threshold) == labels for name in (a, b)
                ]
                p_value = mcnemar.exact_p_value(*right, patients)
                test = MCNEMAR if len(np.unique(patients)) == len(patients) else MCNEMAR_CLUSTERED
            of_metric.append(
                {
                    **{"a": a, "b": b, "metric": metric, "difference": estimate.value},
                    "ci95": uncertainty.difference_interval(estimate, high - low),
                    "p_value": p_value,
                    "test": test,
                }
            )
        for pair, adjusted in zip(of_metric, resampling.holm([pair["p_value"] for pair in of_metric]), strict=True):
            pair["p_value_holm"] = adjusted
        found += of_metric
    return found
